"""What Portuguese abbreviations, units, currencies and acronyms are called."""

from __future__ import annotations

from pipeline.text.spoken.place import words_of

# Read only where a full stop follows; the full stop belongs to them.
DOTTED = {
    "sr": "Senhor", "sra": "Senhora", "srs": "Senhores", "sras": "Senhoras", "srta": "Senhorita", "dr": "Doutor",
    "dra": "Doutora", "drs": "Doutores", "prof": "Professor", "profa": "Professora", "profª": "Professora",
    "exmo": "Excelentíssimo", "exma": "Excelentíssima", "ilmo": "Ilustríssimo", "ilma": "Ilustríssima",
    "av": "Avenida", "al": "Alameda", "pça": "Praça", "pç": "Praça", "rod": "Rodovia", "trav": "Travessa",
    "eng": "Engenheiro", "enga": "Engenheira", "arq": "Arquiteto", "gov": "Governador", "dep": "Deputado",
    "sen": "Senador", "ver": "Vereador", "min": "Ministro", "gal": "General", "gen": "General", "cel": "Coronel",
    "ten": "Tenente", "sgt": "Sargento", "pe": "Padre", "fr": "Frei", "sto": "Santo", "sta": "Santa", "jr": "Júnior",
    "etc": "et cétera", "obs": "observação", "tel": "telefone", "ltda": "limitada", "cia": "Companhia",
    "aprox": "aproximadamente", "máx": "máximo", "mín": "mínimo", "ex": "exemplo", "dept": "departamento",
    "depto": "departamento", "apto": "apartamento", "ap": "apartamento", "univ": "Universidade", "pág": "página",
    "págs": "páginas", "pag": "página", "séc": "século", "sécs": "séculos", "jan": "janeiro", "fev": "fevereiro",
    "mar": "março", "abr": "abril", "jun": "junho", "jul": "julho", "ago": "agosto", "set": "setembro",
    "out": "outubro", "nov": "novembro", "dez": "dezembro", "vs": "versus", "cf": "conforme", "a.c": "antes de Cristo",
    "d.c": "depois de Cristo", "i.e": "isto é", "e.g": "por exemplo", "p.ex": "por exemplo",
    "v.exa": "Vossa Excelência",
    "s.a": "S-A", "exa": "Excelência", "sa": "Senhoria", "nasc": "nascimento", "atte": "atenciosamente",
    "ref": "referência", "tít": "título", "trad": "tradução",
}  # fmt: skip

# Read so only before a number: `art. 5º`, `p. 12`.
DOTTED_BEFORE_NUMBER = {
    "n": "número", "nº": "número", "no": "número", "nr": "número", "núm": "número", "p": "página", "pp": "páginas",
    "vol": "volume", "vols": "volumes", "cap": "capítulo", "caps": "capítulos", "art": "artigo", "arts": "artigos",
    "inc": "inciso", "fig": "figura", "figs": "figuras", "tab": "tabela", "ed": "edição", "v": "volume",
    "c": "cerca de",
    "fl": "folha", "fls": "folhas", "item": "item", "bl": "bloco", "km": "quilômetro", "ver": "versão",
}  # fmt: skip

# The only ones whose full stop may end the sentence too: "Fez dez." is about ten of them.
ENDING = words_of("etc ltda cia jr a.c d.c s.a p.ex i.e e.g")

UNDOTTED = {"nº": "número", "n°": "número", "nos": "nos", "vs": "versus", "pág": "página", "c/": "com", "s/": "sem",
            "p/": "para"}  # fmt: skip

MONTHS = ("janeiro", "fevereiro", "março", "abril", "maio", "junho", "julho", "agosto", "setembro", "outubro",
          "novembro", "dezembro")  # fmt: skip

# Beside the number in the singular and in the plural; `mil` never changes.
MAGNITUDES = {
    "mil": ("mil", "mil"), "milhão": ("milhão", "milhão"), "milhões": ("milhões", "milhões"),
    "bilhão": ("bilhão", "bilhão"), "bilhões": ("bilhões", "bilhões"), "trilhão": ("trilhão", "trilhão"),
    "trilhões": ("trilhões", "trilhões"), "mi": ("milhão", "milhões"), "bi": ("bilhão", "bilhões"),
    "tri": ("trilhão", "trilhões"), "mil milhões": ("mil milhões", "mil milhões"), "k": ("mil", "mil"),
}  # fmt: skip

# Symbol: one of it, more of it, a hundredth, hundredths, feminine.
CURRENCIES = {
    "R$": ("real", "reais", "centavo", "centavos", False),
    "US$": ("dólar", "dólares", "centavo", "centavos", False),
    "U$": ("dólar", "dólares", "centavo", "centavos", False),
    "$": ("dólar", "dólares", "centavo", "centavos", False),
    "€": ("euro", "euros", "centavo", "centavos", False),
    "£": ("libra", "libras", "péni", "pence", True),
    "¥": ("iene", "ienes", "sen", "sen", False),
    "BRL": ("real", "reais", "centavo", "centavos", False),
    "USD": ("dólar", "dólares", "centavo", "centavos", False),
    "EUR": ("euro", "euros", "centavo", "centavos", False),
}

# Symbol: one of it, more of it, feminine.
UNITS = {
    "km": ("quilômetro", "quilômetros", False), "m": ("metro", "metros", False),
    "cm": ("centímetro", "centímetros", False), "mm": ("milímetro", "milímetros", False),
    "nm": ("nanômetro", "nanômetros", False), "µm": ("micrômetro", "micrômetros", False),
    "km/h": ("quilômetro por hora", "quilômetros por hora", False),
    "km/s": ("quilômetro por segundo", "quilômetros por segundo", False),
    "m/s": ("metro por segundo", "metros por segundo", False),
    "km²": ("quilômetro quadrado", "quilômetros quadrados", False),
    "km2": ("quilômetro quadrado", "quilômetros quadrados", False),
    "m²": ("metro quadrado", "metros quadrados", False), "m2": ("metro quadrado", "metros quadrados", False),
    "m³": ("metro cúbico", "metros cúbicos", False), "m3": ("metro cúbico", "metros cúbicos", False),
    "ha": ("hectare", "hectares", False), "kg": ("quilo", "quilos", False), "g": ("grama", "gramas", False),
    "mg": ("miligrama", "miligramas", False), "t": ("tonelada", "toneladas", True), "l": ("litro", "litros", False),
    "L": ("litro", "litros", False), "ml": ("mililitro", "mililitros", False), "mL": ("mililitro", "mililitros", False),
    "°C": ("grau Celsius", "graus Celsius", False), "ºC": ("grau Celsius", "graus Celsius", False),
    "°F": ("grau Fahrenheit", "graus Fahrenheit", False), "°": ("grau", "graus", False),
    "%": ("por cento", "por cento", False), "‰": ("por mil", "por mil", False),
    "KB": ("quilobyte", "quilobytes", False), "kB": ("quilobyte", "quilobytes", False),
    "MB": ("megabyte", "megabytes", False), "GB": ("gigabyte", "gigabytes", False),
    "TB": ("terabyte", "terabytes", False), "Mbps": ("megabit por segundo", "megabits por segundo", False),
    "Gbps": ("gigabit por segundo", "gigabits por segundo", False), "Hz": ("hertz", "hertz", False),
    "kHz": ("quilohertz", "quilohertz", False), "MHz": ("megahertz", "megahertz", False),
    "GHz": ("gigahertz", "gigahertz", False), "W": ("watt", "watts", False), "kW": ("quilowatt", "quilowatts", False),
    "MW": ("megawatt", "megawatts", False), "GW": ("gigawatt", "gigawatts", False),
    "kWh": ("quilowatt-hora", "quilowatts-hora", False), "V": ("volt", "volts", False),
    "dB": ("decibel", "decibéis", False), "h": ("hora", "horas", True), "min": ("minuto", "minutos", False),
    "s": ("segundo", "segundos", False), "ms": ("milissegundo", "milissegundos", False),
    "mph": ("milha por hora", "milhas por hora", True), "kcal": ("quilocaloria", "quilocalorias", True),
    "px": ("pixel", "pixels", False), "cv": ("cavalo", "cavalos", False), "x": ("vez", "vezes", True),
    "mi": ("milhão", "milhões", False), "bi": ("bilhão", "bilhões", False),
}  # fmt: skip
UNITS |= {code: (names[0], names[1], names[4]) for code, names in CURRENCIES.items() if code.isalpha() or code == "€"}
GLUED_UNITS = {**UNITS, "k": ("mil", "mil", False)}

# Where espeak-ng pronounces what people spell, or the other way about (heard with espeak-ng 1.52, pt-br).
SPELLED = words_of("IR")
ACRONYMS = {"IA": "i á", "MIT": "M-I-T"}

SYMBOLS = {
    "&": "e", "+": "mais", "=": "igual a", "×": "vezes", "÷": "dividido por", "±": "mais ou menos",
    "≈": "aproximadamente", "~": "cerca de", "<": "menor que", ">": "maior que", "≤": "no máximo", "≥": "no mínimo",
    "≠": "diferente de", "²": "ao quadrado",
    "³": "ao cubo", "%": "por cento", "‰": "por mil", "°": "graus", "→": "para", "$": "dólares", "€": "euros",
    "£": "libras", "§": "parágrafo", "§§": "parágrafos", "¶": "parágrafo", "¶¶": "parágrafos",
    "@": "arroba", "#": "número", "∞": "infinito", "√": "raiz quadrada de", "^": "elevado a",
    "¥": "ienes", "º": "o", "ª": "a",
}  # fmt: skip

# Queens and centuries decide between "segundo" and "segunda".
REGNAL_FEMININE = words_of("Elizabeth Elisabeth Isabel Maria Catarina Beatriz Margarida Cleópatra Joana Leonor")
REGNAL = REGNAL_FEMININE | words_of(
    "Pedro João Luís Henrique Carlos Filipe Felipe Manuel Afonso Sancho Dinis Fernando Sebastião José Miguel Paulo Pio "
    "Bento Francisco Leão Gregório Inocêncio Clemente Urbano Xisto Júlio Napoleão Frederico Guilherme Nicolau "
    "Alexandre Ricardo Eduardo Jorge Jaime Ramsés Dario Ciro Xerxes Ptolomeu Constantino Teodósio Ivan Otto "
    "Alberto Leopoldo Umberto Vítor Amadeu Gustavo Cristiano Haroldo Balduíno Roberto Davi"
)

FEMININE_NOUNS = words_of(
    "vezes mulheres flores cores partes noites tardes mães mortes frases bases fases crises teses análises sínteses "
    "chaves naves aves árvores torres redes paredes sedes fontes pontes mentes gentes lentes correntes vertentes leis "
    "cruzes luzes vozes raízes matrizes atrizes perdizes nações mãos irmãs maçãs manhãs artes classes espécies séries "
    "superfícies hélices células ordens viagens imagens mensagens páginas horas vez mulher hora pessoa página parte"
)
MASCULINE_NOUNS = words_of(
    "dias problemas sistemas programas temas mapas planetas poemas climas idiomas gramas quilogramas atletas artistas "
    "jornalistas cientistas cinemas dramas diplomas dilemas teoremas esquemas cometas papas poetas turistas pijamas "
    "telefonemas sintomas aromas fantasmas mas das nas pelas às as duas apenas mais dia problema sistema programa"
)
FEMININE_SINGULAR_ENDINGS = ("a", "ção", "são", "dade", "gem", "ã", "tude")
FEMININE_ENDINGS = ("as", "ções", "sões", "dades", "gens", "ãs", "tudes")
