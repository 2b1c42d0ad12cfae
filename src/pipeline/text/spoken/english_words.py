"""What English abbreviations, units, currencies and acronyms are called."""

from __future__ import annotations

from pipeline.text.spoken.place import words_of

# Read only where a full stop follows (`No.` is number, `No` is no); the full stop belongs to them.
DOTTED = {
    "dr": "Doctor", "mr": "Mister", "mrs": "Missus", "ms": "Miz", "prof": "Professor", "jr": "Junior",
    "sr": "Senior", "rev": "Reverend", "hon": "Honourable", "gen": "General", "col": "Colonel", "lt": "Lieutenant",
    "capt": "Captain", "cpt": "Captain", "sgt": "Sergeant", "cmdr": "Commander", "adm": "Admiral", "maj": "Major",
    "gov": "Governor", "sen": "Senator", "rep": "Representative", "pres": "President", "supt": "Superintendent",
    "messrs": "Messieurs", "fr": "Father", "mt": "Mount", "ave": "Avenue", "blvd": "Boulevard", "rd": "Road",
    "hwy": "Highway", "etc": "et cetera", "vs": "versus", "cf": "compare", "ca": "circa", "approx": "approximately",
    "inc": "Incorporated", "ltd": "Limited", "co": "Company", "corp": "Corporation", "dept": "Department",
    "univ": "University", "est": "established", "al": "Al", "max": "maximum", "misc": "miscellaneous",
    "jan": "January", "feb": "February", "mar": "March", "apr": "April", "jun": "June", "jul": "July",
    "aug": "August", "sep": "September", "sept": "September", "oct": "October", "nov": "November",
    "dec": "December", "mon": "Monday", "tue": "Tuesday", "tues": "Tuesday", "wed": "Wednesday",
    "thu": "Thursday", "thurs": "Thursday", "fri": "Friday", "sat": "Saturday", "sun": "Sunday", "sq": "square",
    "cu": "cubic", "bros": "Brothers", "esp": "especially", "incl": "including", "min": "minimum",
    "tel": "telephone", "ext": "extension", "e.g": "for example", "i.e": "that is", "a.k.a": "also known as",
    "viz": "namely", "ph.d": "PhD",
}  # fmt: skip

# Read so only before a number: `Fig. 3`, `pp. 5–7`.
DOTTED_BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "fig": "figure", "figs": "figures", "p": "page", "pp": "pages", "ch": "chapter",
    "chap": "chapter", "vol": "volume", "sec": "section", "art": "article", "eq": "equation", "ed": "edition",
    "c": "circa", "v": "version", "pt": "part", "op": "opus", "par": "paragraph", "ver": "version",
}  # fmt: skip

# The only ones whose full stop may end the sentence too: "I met Max." is about a man.
ENDING = words_of("etc inc ltd co corp jr sr ave rd blvd bros al dept e.g i.e a.k.a ph.d")

UNDOTTED = {"vs": "versus", "eg": "for example", "aka": "also known as", "w/": "with", "w/o": "without", "sq": "square"}

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
          "November", "December")  # fmt: skip
MONTH_NAMES = frozenset(MONTHS) | words_of("Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec")
DAY_NAMES = words_of("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")

MAGNITUDES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million", "mm": "million",
    "b": "billion", "B": "billion", "bn": "billion", "t": "trillion", "T": "trillion", "tn": "trillion",
    "trn": "trillion",
}  # fmt: skip
MAGNITUDE_WORDS = words_of("hundred thousand million billion trillion")

# Symbol: one of it, more of it, a hundredth of it, hundredths of it.
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("US dollar", "US dollars", "cent", "cents"),
    "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "R$": ("real", "reais", "centavo", "centavos"),
    "€": ("euro", "euros", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "USD": ("US dollar", "US dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "JPY": ("yen", "yen", "sen", "sen"),
    "BRL": ("real", "reais", "centavo", "centavos"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
}

# Symbol: one of it, more of it.
UNITS = {
    "km": ("kilometer", "kilometers"), "m": ("meter", "meters"), "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"), "µm": ("micrometer", "micrometers"), "nm": ("nanometer", "nanometers"),
    "km/h": ("kilometer per hour", "kilometers per hour"), "kph": ("kilometer per hour", "kilometers per hour"),
    "km/s": ("kilometer per second", "kilometers per second"), "m/s": ("meter per second", "meters per second"),
    "mph": ("mile per hour", "miles per hour"), "mi": ("mile", "miles"), "ft": ("foot", "feet"),
    "yd": ("yard", "yards"), "lb": ("pound", "pounds"), "lbs": ("pound", "pounds"), "oz": ("ounce", "ounces"),
    "km²": ("square kilometer", "square kilometers"), "km2": ("square kilometer", "square kilometers"),
    "m²": ("square meter", "square meters"), "m2": ("square meter", "square meters"),
    "m³": ("cubic meter", "cubic meters"), "m3": ("cubic meter", "cubic meters"),
    "cm²": ("square centimeter", "square centimeters"), "cm³": ("cubic centimeter", "cubic centimeters"),
    "ha": ("hectare", "hectares"), "kg": ("kilogram", "kilograms"), "g": ("gram", "grams"),
    "mg": ("milligram", "milligrams"), "µg": ("microgram", "micrograms"), "l": ("liter", "liters"),
    "L": ("liter", "liters"), "ml": ("milliliter", "milliliters"), "mL": ("milliliter", "milliliters"),
    "°C": ("degree Celsius", "degrees Celsius"), "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"), "%": ("percent", "percent"), "‰": ("per mille", "per mille"),
    "KB": ("kilobyte", "kilobytes"), "kB": ("kilobyte", "kilobytes"), "MB": ("megabyte", "megabytes"),
    "GB": ("gigabyte", "gigabytes"), "TB": ("terabyte", "terabytes"), "PB": ("petabyte", "petabytes"),
    "GiB": ("gibibyte", "gibibytes"), "MiB": ("mebibyte", "mebibytes"), "Mbps": ("megabit per second",
    "megabits per second"), "Gbps": ("gigabit per second", "gigabits per second"), "kbps": ("kilobit per second",
    "kilobits per second"), "Mbit/s": ("megabit per second", "megabits per second"), "Hz": ("hertz", "hertz"),
    "kHz": ("kilohertz", "kilohertz"), "MHz": ("megahertz", "megahertz"), "GHz": ("gigahertz", "gigahertz"),
    "W": ("watt", "watts"), "kW": ("kilowatt", "kilowatts"), "MW": ("megawatt", "megawatts"),
    "GW": ("gigawatt", "gigawatts"), "kWh": ("kilowatt hour", "kilowatt hours"), "V": ("volt", "volts"),
    "mA": ("milliamp", "milliamps"), "mAh": ("milliamp hour", "milliamp hours"), "dB": ("decibel", "decibels"),
    "h": ("hour", "hours"), "hr": ("hour", "hours"), "hrs": ("hours", "hours"), "min": ("minute", "minutes"),
    "mins": ("minutes", "minutes"), "s": ("second", "seconds"), "sec": ("second", "seconds"),
    "secs": ("seconds", "seconds"), "ms": ("millisecond", "milliseconds"), "µs": ("microsecond", "microseconds"),
    "ns": ("nanosecond", "nanoseconds"), "kcal": ("kilocalorie", "kilocalories"), "kJ": ("kilojoule", "kilojoules"),
    "px": ("pixel", "pixels"), "dpi": ("dot per inch", "dots per inch"), "fps": ("frame per second",
    "frames per second"), "rpm": ("revolution per minute", "revolutions per minute"), "ly": ("light year",
    "light years"), "eV": ("electron volt", "electron volts"), "hPa": ("hectopascal", "hectopascals"),
    "kPa": ("kilopascal", "kilopascals"), "psi": ("P-S-I", "P-S-I"), "in²": ("square inch", "square inches"),
    "sqft": ("square foot", "square feet"), "K": ("kelvin", "kelvin"), "x": ("times", "times"), "×": ("times", "times"),
}  # fmt: skip
UNITS |= {code: names[:2] for code, names in CURRENCIES.items() if code.isalpha() or code == "€"}

# Written against the number, these mean something else: 10k is ten thousand, 10M ten million.
GLUED_UNITS = {**UNITS, "k": ("thousand", "thousand"), "K": ("K", "K"), "M": ("million", "million"),
               "bn": ("billion", "billion")}  # fmt: skip

# Where espeak-ng pronounces what people spell, or the other way about (heard with espeak-ng 1.52, en-us).
SPELLED = words_of("WHO LED LEDS CLI ICU ER IMF ALS UX AR EPA AD IDE ETA VAT MIA RIP")
ACRONYMS = {"UNESCO": "Yunesko", "IoT": "I-O-T", "SaaS": "sass", "LLMs": "L-L-Ms", "LEDs": "L-E-Ds", "kHz": "kilohertz"}

SYMBOLS = {
    "&": "and", "+": "plus", "=": "equals", "×": "times", "÷": "divided by", "±": "plus or minus",
    "≈": "approximately", "~": "about", "<": "less than", ">": "greater than", "≤": "at most", "≥": "at least",
    "≠": "is not",
    "²": "squared", "³": "cubed", "%": "percent", "‰": "per mille", "°": "degrees", "→": "to",
    "$": "dollars", "€": "euros",
    "£": "pounds", "§": "section", "§§": "sections", "¶": "paragraph", "¶¶": "paragraphs",
    "@": "at", "#": "number", "∞": "infinity", "√": "the square root of",
    "^": "to the power of", "µ": "micro", "¥": "yen", "₹": "rupees",
}  # fmt: skip

REGNAL = words_of(
    "Elizabeth Henry George Charles James William Edward Richard Mary Louis Philip Philippe Napoleon Frederick Wilhelm "
    "Nicholas Alexander Catherine Peter Paul Pius Leo Benedict Gregory Innocent Clement Urban Francis Ferdinand Carlos "
    "Felipe Juan Pedro Ramesses Ramses Darius Cyrus Xerxes Ptolemy Cleopatra Constantine Justinian Theodosius Otto "
    "Christian Gustav Gustavus Harald Haakon Olaf Margrethe Beatrix Albert Leopold Baldwin Robert David Malcolm Ivan "
    "Boris Mehmed Suleiman Selim Murad Abdul Rama Thutmose Amenhotep Sixtus Julius Boniface Celestine Sigismund Joseph "
    "Maximilian Rudolf Edmund Ethelred Harold Stephen Alfonso Sancho Afonso John Mithridates Antiochus Artaxerxes"
)
COUNTED_IN_ROMAN = words_of(
    "War Chapter Part Book Act Scene Volume Type Phase Section Article Appendix Bowl Class Level Title Apollo Rocky "
    "Fantasy Factor Stage Mark Division Group Table Figure Grade Category Schedule Symphony Rank Tier Saturn Vatican "
    "Quake Diablo Civilization Episode Lesson Unit Corps Series"
) | words_of("chapter part book act scene volume type phase section article appendix class level title stage")
LETTERED = words_of("Vitamin Plan Grade Hepatitis Type Section Appendix Group Class Part Exhibit Team Block Point")
VERSIONED = words_of("python node php java ruby django ubuntu debian kernel linux version release v go rust perl lua")
ATTRIBUTIVE_YEAR = words_of(
    "in since by until till from before after during around circa of year late early mid spring summer autumn fall "
    "winter about through to and"
)
STRONG_YEAR = words_of("in since by until till during year circa late early mid spring summer autumn fall winter")
NOT_PLURAL = words_of(
    "was is has as its this does us his thus perhaps always sometimes besides across versus plus less unless yes "
    "towards afterwards"
)
COUNTED = words_of("people men women children fish sheep feet teeth mice percent")
