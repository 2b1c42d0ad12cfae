"""The pages that people use: what runs and what waits, asking for a topic, listening, editing, the plan, the engines.

    routes       which page answers what, and what a form does
    looks        what each page shows, from the board, the files and the last look at the engines
    transcript, shelf, forecast    an episode's words, the finished ones, how long the others will take
    words        English and Portuguese
    rendering    templates to answers, under a policy that runs nothing but our own files

Everything can be read, asked for and edited without a script. With one, the pages follow what happens, and an edited
sentence is heard a moment later. They look as the published pages do, whose styles and player they use.
"""
