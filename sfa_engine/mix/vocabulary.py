"""The words that a search understands, English and German.

A word list, not a model: of 15 free words a small text model put 9 right at a cost of 91 MB, and
what is here is right by definition. Words are compared as `sfa_engine.library.folding` spells them,
so case and accents do not matter; `phrases` also tries a word without its ending (`ENDINGS`). In
each text spellings have a comma between them. Data alone.
"""

from __future__ import annotations

from collections.abc import Mapping

# What a word of feeling is ranked by: numbers of a track, each with its weight; a negative one
# counts from the other end. The names are those of `sound.MEASURES`, `shelf.COLUMNS` and
# `TAG_MEASURES`. A word and its opposite are neighbours.
FEELS: Mapping[str, Mapping[str, float]] = {
    "dark": {"brightness": -0.75, "minor": 0.25},
    "bright": {"brightness": 0.75, "minor": -0.25},
    "rolling": {"evenness": 0.7, "sections": -0.3},
    "broken": {"evenness": -0.7, "sections": 0.3},
    "hypnotic": {"novelty": -1.0},
    "varied": {"novelty": 1.0},
    "hard": {"lufs": 0.5, "crest": -0.5},
    "soft": {"lufs": -0.4, "crest": 0.4, "mellow": 0.2},
    "loud": {"lufs": 1.0},
    "quiet": {"lufs": -1.0},
    "vocal": {"vocals": 1.0},
    "instrumental": {"vocals": -1.0},
    "fast": {"bpm": 1.0},
    "slow": {"bpm": -1.0},
    "energetic": {"energy": 1.0},
    "calm": {"energy": -0.75, "chillout": 0.25},
    "driving": {"energy": 0.5, "evenness": 0.5},
    "laid back": {"energy": -0.5, "evenness": -0.5},
    "bassy": {"bass": 1.0},
    "thin": {"bass": -1.0},
    "busy": {"attacks": 1.0},
    "sparse": {"attacks": -1.0},
    "dynamic": {"crest": 1.0},
    "compressed": {"crest": -1.0},
    "melodic": {"tonality": 1.0},
    "percussive": {"tonality": -1.0},
    "euphoric": {"minor": -0.25, "energy": 0.3, "brightness": 0.2, "happy": 0.25},
    "melancholic": {"minor": 0.25, "energy": -0.3, "brightness": -0.2, "sad": 0.25},
    "old": {"year": -1.0},
    "new": {"year": 1.0},
    "recent": {"added": 1.0},
    "long-standing": {"added": -1.0},
    "long": {"duration": 1.0},
    "short": {"duration": -1.0},
    "popular": {"plays": 1.0},
    "rare": {"plays": -1.0},
}
# Numbers of a track that are the highest probability of some tags of its sound.
TAG_MEASURES: Mapping[str, tuple[str, ...]] = {
    "happy": ("happy",),
    "sad": ("sad",),
    "mellow": ("mellow",),
    "chillout": ("chillout",),
    "voice": ("vocals", "female vocals", "male vocals"),
}
# What is taken where a number is not known: a stem says more of singing than a tag.
SUBSTITUTES: Mapping[str, str] = {"vocals": "voice"}
_PAIRS = tuple(zip(tuple(FEELS)[::2], tuple(FEELS)[1::2], strict=True))
OPPOSITES: Mapping[str, str] = dict(_PAIRS) | {other: one for one, other in _PAIRS}

# Before "than 78 % of your library".
COMPARATIVES: Mapping[str, str] = {
    "dark": "darker",
    "bright": "brighter",
    "rolling": "more rolling",
    "broken": "more broken",
    "hypnotic": "more hypnotic",
    "varied": "more varied",
    "hard": "harder",
    "soft": "softer",
    "loud": "louder",
    "quiet": "quieter",
    "vocal": "more vocals",
    "instrumental": "less vocals",
    "fast": "faster",
    "slow": "slower",
    "energetic": "more energetic",
    "calm": "calmer",
    "driving": "more driving",
    "laid back": "more laid back",
    "bassy": "more bass",
    "thin": "less bass",
    "busy": "busier",
    "sparse": "sparser",
    "dynamic": "more dynamic",
    "compressed": "more compressed",
    "melodic": "more melodic",
    "percussive": "more percussive",
    "euphoric": "more euphoric",
    "melancholic": "more melancholic",
    "old": "older",
    "new": "newer",
    "recent": "added later",
    "long-standing": "added earlier",
    "long": "longer",
    "short": "shorter",
    "popular": "played more",
    "rare": "played less",
}

# German stems stand beside their words where an ending changes them: dunkel, dunkl-er.
FEEL_WORDS: Mapping[str, str] = {
    "dark": (
        "dark, moody, gloomy, murky, nocturnal, sinister, brooding, darkest, dunkel, "
        "dunkl, düster, düstr, finster, finstr, schwarz"
    ),
    "bright": "bright, light, sunny, shiny, brilliant, hell, helle, strahlend, sonnig",
    "rolling": (
        "rolling, roller, groovy, grooving, steady, even, flowing, rollend, groovig, "
        "gleichmäßig, fließend"
    ),
    "broken": "broken, choppy, uneven, jerky, gebrochen, zerhackt, ungleichmäßig",
    "hypnotic": (
        "hypnotic, hypnotizing, trippy, repetitive, monotonous, loopy, mesmerizing, "
        "mesmerising, hypnotisch, monoton, repetitiv, tranceartig"
    ),
    "varied": "varied, eventful, changing, diverse, abwechslungsreich, vielfältig, wechselnd",
    "hard": (
        "hard, heavy, aggressive, brutal, banging, harsh, rough, raw, hart, härt, heftig, "
        "aggressiv, rau, brachial"
    ),
    "soft": (
        "soft, gentle, smooth, mellow, delicate, tender, silky, weich, sanft, zart, geschmeidig"
    ),
    "loud": "loud, noisy, laut",
    "quiet": "quiet, silent, hushed, leise, leis",
    "vocal": (
        "vocal, vocals, voice, voices, singing, singer, sung, acapella, a cappella, "
        "lyrics, gesang, gesungen, stimme, stimmen, vokal"
    ),
    "instrumental": "instrumental, instrumentals, voiceless, dub version, gesangslos",
    "fast": "fast, quick, speedy, uptempo, up tempo, rapid, schnell, flott, zügig, rasant",
    "slow": "slow, downtempo, down tempo, sluggish, langsam, gemächlich, schleppend",
    "energetic": (
        "energetic, energy, high energy, powerful, peak time, peaktime, intense, pumping, "
        "energiegeladen, energisch, energetisch, kraftvoll, kräftig, intensiv, pumpend"
    ),
    "calm": (
        "calm, chill, chilled, chilling, relaxed, relaxing, peaceful, low energy, easy, "
        "ruhig, entspannt, gechillt, gelassen, friedlich"
    ),
    "driving": (
        "driving, propulsive, relentless, pounding, treibend, antreibend, drängend, stampfend"
    ),
    "laid back": "laid back, laidback, lazy, sleepy, lounge, lässig, träge, verschlafen",
    "bassy": (
        "bassy, bass heavy, bassheavy, heavy bass, big bass, boomy, subby, basslastig, "
        "bassig, viel bass, fetter bass"
    ),
    "thin": "thin, light bass, little bass, bassarm, dünn, wenig bass",
    "busy": "busy, dense, frantic, hectic, hektisch, dicht, voll",
    "sparse": (
        "sparse, stripped, stripped down, spacious, empty, reduced, reduziert, spärlich, "
        "luftig, leer"
    ),
    "dynamic": "dynamic, punchy, lively, dynamisch, knackig, lebendig",
    "compressed": "compressed, squashed, flat, komprimiert, platt",
    "melodic": "melodic, melodious, tuneful, harmonic, tonal, melodisch, melodiös, harmonisch",
    "percussive": "percussive, drummy, percussion, tribal drums, perkussiv, trommelnd, percussiv",
    "euphoric": (
        "euphoric, uplifting, happy, joyful, cheerful, feelgood, feel good, positive, "
        "euphorisch, fröhlich, glücklich, heiter, positiv"
    ),
    "melancholic": (
        "melancholic, melancholy, sad, wistful, sorrowful, emotional, melancholisch, "
        "traurig, wehmütig, schwermütig"
    ),
    "old": (
        "old, older, classic, vintage, retro, old school, oldschool, oldie, oldies, alt, "
        "ält, älter, klassiker"
    ),
    "new": "new, newest, modern, current, contemporary, neu, neuest, aktuell",
    "recent": (
        "recent, recently added, latest, fresh, just added, kürzlich, neulich, frisch, "
        "zuletzt hinzugefügt, neu hinzugefügt"
    ),
    "long-standing": "long standing",
    "long": "long, lengthy, extended, lang, läng",
    "short": "short, brief, kurz, kürz",
    "popular": (
        "popular, most played, often played, much played, beliebt, meistgespielt, oft "
        "gespielt, viel gespielt"
    ),
    "rare": (
        "rare, rarely played, seldom played, little played, selten, selten gespielt, kaum "
        "gespielt, wenig gespielt"
    ),
}

# A genre and its other spellings.
GENRES: Mapping[str, str] = {
    "techno": "",
    "house": "",
    "trance": "",
    "ambient": "",
    "electro": "",
    "disco": "diskothek",
    "funk": "funky, funkig",
    "soul": "soulful",
    "jazz": "jazzy, jazzig",
    "rock": "rockig",
    "pop": "poppig",
    "metal": "",
    "punk": "",
    "indie": "",
    "folk": "folkig",
    "blues": "",
    "reggae": "",
    "ska": "",
    "dub": "",
    "dancehall": "",
    "latin": "latino",
    "salsa": "",
    "reggaeton": "",
    "cumbia": "",
    "afrobeat": "afrobeats",
    "afro house": "afrohouse",
    "classical": "klassik, klassisch",
    "techhouse": "tech house, tech-house",
    "deep house": "deephouse, deep-house",
    "progressive house": "prog house",
    "progressive trance": "prog trance",
    "acid house": "",
    "acid": "",
    "acid techno": "",
    "melodic techno": "",
    "melodic house": "",
    "dub techno": "",
    "hard techno": "hardtechno",
    "minimal": "minimal techno, minimalistic",
    "industrial": "industrial techno",
    "detroit techno": "detroit",
    "chicago house": "",
    "french house": "filter house",
    "organic house": "",
    "bass house": "",
    "future house": "",
    "future bass": "",
    "big room": "",
    "electro house": "",
    "italo disco": "italo",
    "nu disco": "nudisco",
    "psytrance": "psy trance, psy, goa, goatrance, goa trance",
    "hard trance": "",
    "uplifting trance": "",
    "vocal trance": "",
    "hardstyle": "",
    "hardcore": "",
    "gabber": "gabba",
    "hard house": "",
    "happy hardcore": "",
    "breakbeat": "breaks, breakbeats",
    "big beat": "",
    "drum and bass": "dnb, d n b, d b, drum n bass, drum bass, drumnbass, drum und bass",
    "liquid drum and bass": "liquid dnb, liquid drum n bass, liquid",
    "neurofunk": "neuro",
    "jungle": "",
    "dubstep": "",
    "brostep": "",
    "uk garage": "ukg, garage, 2 step, two step",
    "grime": "",
    "bassline": "",
    "footwork": "juke",
    "trap": "",
    "hip hop": "hiphop, rap",
    "trip hop": "triphop",
    "lo fi": "lofi",
    "rnb": "r n b, r b, rhythm and blues",
    "synthwave": "retrowave",
    "synthpop": "synth pop, electropop",
    "new wave": "",
    "ebm": "",
    "idm": "",
    "glitch": "",
    "downbeat": "",
    "chillout": "chill out",
    "lounge music": "",
    "balearic": "",
    "eurodance": "",
    "edm": "",
    "electronica": "",
    "dance": "",
    "experimental": "experimentell",
    "soundtrack": "filmmusik",
    "schlager": "",
    "drone": "",
    "noise": "",
    "grunge": "",
    "gospel": "",
    "country": "",
    "bossa nova": "",
    "amapiano": "",
    "moombahton": "",
    "kizomba": "",
    "zouk": "",
    "krautrock": "kraut rock",
    "world": "world music, weltmusik",
    "tribal": "tribal house",
    "vaporwave": "",
    "phonk": "",
    "alternative": "",
    "alternative rock": "alt rock",
    "classic rock": "",
    "hard rock": "hardrock",
    "indie rock": "indierock",
    "indie pop": "indiepop",
    "progressive rock": "prog rock",
    "easy listening": "",
    "new age": "",
    "opera": "oper",
    "indian": "indisch",
}

# Tags of a sound, or words of a name, that are no genre: a hit has each one that is asked for.
TAG_WORDS: Mapping[str, str] = {
    "guitar": "guitars, gitarre, gitarren",
    "piano": "klavier",
    "violin": "violins, fiddle, geige, geigen, violine, violinen",
    "cello": "",
    "strings": "string section, streicher, streichern",
    "flute": "flöte, flöten",
    "harp": "harfe",
    "harpsichord": "cembalo",
    "sitar": "",
    "synth": "synths, synthesizer, synthesizers, synthesiser, synthesisers",
    "drums": "schlagzeug",
    "choir": "choral, chor, chöre",
    "female vocals": (
        "female vocal, female voice, female voices, female singer, female vocalist, "
        "woman singing, frauenstimme, frauenstimmen, sängerin"
    ),
    "male vocals": (
        "male vocal, male voice, male voices, male singer, male vocalist, man singing, "
        "männerstimme, männerstimmen, sänger"
    ),
    "acoustic": "unplugged, akustisch",
    "catchy": "eingängig",
    "sexy": "",
    "weird": "seltsam",
    "party": "",
}

# Part of every sentence, and of none's meaning.
FILLERS = (
    "a lot of, lots of, plenty of, only, just, nur, would, rating, bewertung, a, an, "
    "the, that, which, who, i, me, my, we, our, you, it, is, are, be, am, do, does, "
    "of, for, on, at, as, so, some, any, all, and, or, but, with, in, to, from, by, "
    "also, then, please, find, show, give, get, play, want, need, looking, search, "
    "list, look, i like, would like, like to, something, anything, stuff, music, "
    "track, tracks, song, songs, tune, tunes, piece, pieces, number, numbers, title, "
    "titles, bit, kind, sort, one, ones, ideally, maybe, really good, good, best, "
    "nice, great, quite, pretty, rather, fairly, there, has, have, having, plus, "
    "key, tempo, speed, bpm, feel, feeling, vibe, vibes, mood, sound, sounds, "
    "sounding, genre, style, should, can, could, what, will, der, die, das, den, "
    "dem, des, ein, eine, einen, einem, einer, eines, paar, ein paar, und, oder, "
    "aber, mit, im, in, zu, zum, zur, von, vom, aus, auf, an, am, als, auch, dann, "
    "bitte, finde, such, suche, zeig, zeige, gib, rated, bewertet, spiel, spiele, "
    "will, möchte, brauche, hätte, gern, gerne, ich, mir, mich, mein, meine, meinen, "
    "meiner, wir, uns, was, etwas mit, irgendwas, irgendetwas, welche, welcher, "
    "welches, musik, stück, stücke, stücken, titel, titeln, lied, lieder, liedern, "
    "nummer, nummern, song, songs, sachen, ist, sind, sein, soll, sollte, kann, "
    "ziemlich, eher, recht, gut, gute, guter, gutes, hat, haben, für, bei, noch, "
    "mal, alle, tonart, klingt, klang, stimmung, stil, so was, sowas, damit, dazu"
)
NOT = (
    "not, no, nothing, nichts, without, non, isn t, aren t, don t, never, nicht, kein, "
    "keine, keinen, keiner, keinem, ohne, nie"
)
SKIPPED_AFTER_NOT = "too, so, very, that, as, any, zu, sehr, allzu, all zu, ganz"
STRONGER = (
    "very, really, extremely, super, so very, totally, insanely, sehr, richtig, "
    "extrem, total, besonders"
)
WEAKER = (
    "a bit, bit, a little, slightly, somewhat, a touch, etwas, leicht, ein bisschen, "
    "ein wenig, bisschen"
)
STRONG, WEAK = 2.0, 0.5  # weights

LIKE = (
    "like, similar to, similar, alike, sounds like, sounding like, in the style of, "
    "resembling, ähnlich wie, ähnlich zu, ähnlich, so wie, wie, klingt wie, im stil von"
)
GOES_WITH = (
    "fit after, fits after, play after, goes after, goes with, go with, going "
    "with, goes well with, go well with, mixes with, mix with, mixes well with, "
    "mix well with, mixable with, fits, fits to, fits with, fit with, matches, "
    "matching, match, works with, compatible with, compatible to, compatible, in "
    "key with, to follow, follows, after this, harmonic with, passt zu, passend "
    "zu, passend, passen zu, kompatibel mit, kompatibel zu, mischbar mit, mixbar "
    "mit, harmoniert mit, nach diesem"
)
# "das zu 12 passt", "was kann ich nach 12 spielen"
BEFORE_TRACK = "zu, to, nach, after"
FITS_AFTER = "passt, passen, passend, passende, spielen, mischen, mixen, auflegen, kommt"
THIS = (
    "this, this one, this track, this song, it, that one, the current one, current "
    "track, diesem, diesen, dieser, diese, dieses, diesem hier, dem hier, das hier, "
    "diesem track, diesem stück, diesem lied"
)
REFERENCE_FILLERS = (
    "the, track, song, number, no, nr, dem, der, den, das, die, titel, "
    "lied, stück, track nummer, nummer, mit, zu, to, with, wie, as"
)
REFERENCE_ENDS = (
    "and, but, around, about, between, over, under, with, from, that, und, "
    "aber, um, mit, zwischen, über, unter, aus, der, die, das"
)

AROUND = (
    "around, about, near, approximately, approx, roughly, circa, ca, close to, um, um "
    "die, etwa, ungefähr, rund, zirka, nahe"
)
EXACTLY = "exactly, exact, precisely, genau, exakt"
BETWEEN = "between, from, zwischen, von"
UNTIL = "to, and, until, till, through, up to, bis, und"
RANGE = "to, until, till, bis"
OVER = (
    "over, above, more than, faster than, greater than, after, upwards of, über, mehr "
    "als, schneller als, nach"
)
AT_LEAST = (
    "at least, since, seit, min, minimum, starting at, from at least, mindestens, wenigstens, ab"
)
UNDER = "under, below, less than, slower than, before, unter, weniger als, langsamer als, vor"
AT_MOST = "at most, max, maximum, up to, no more than, höchstens, maximal, bis, bis zu"
THAN = "than, als"
OR_MORE = (
    "or more, or better, or higher, or above, or over, and up, and above, and more, "
    "oder mehr, oder besser, und mehr, aufwärts"
)
OR_LESS = "or less, or lower, or below, or under, oder weniger, abwärts"

BPM = "bpm, beats per minute, beats a minute"
MINUTES = "minutes, minute, min, mins, minuten"
SECONDS = "seconds, second, sec, secs, sekunden, sekunde"
STARS = "stars, star, sterne, stern, sternen"
TRACKS = "tracks, songs, tunes, pieces, titles, stücke, titel, lieder, nummern, numbers"
ENERGY = "energy, energie"
AGES: Mapping[str, str] = {
    "h": "hours, hour, stunden, stunde",
    "d": "days, day, tage, tagen, tag",
    "w": "weeks, week, wochen, woche",
    "m": "months, month, monate, monaten, monat",
    "y": "years, year, jahre, jahren, jahr",
}
# Of time until now.
SPANS: Mapping[str, str] = {
    "2d": "yesterday, gestern",
    "1d": "today, since yesterday, heute, seit gestern",
    "7d": (
        "this week, last week, past week, diese woche, dieser woche, letzte woche, letzter woche"
    ),
    "1m": (
        "this month, last month, past month, diesen monat, diesem monat, letzten monat, "
        "letztem monat"
    ),
    "1y": "this year, last year, past year, dieses jahr, diesem jahr, letztes jahr, letztem jahr",
}
LAST = (
    "last, past, the last, the past, letzten, letzte, vergangenen, den letzten, der "
    "letzten, for, seit"
)
ADDED = (
    "added, imported, hinzugefügt, hinzugefügte, hinzugefügten, hinzugefügter, "
    "importiert, importierte, dazugekommen"
)
PLAYED = "played, gespielt, gespielte, gespielten, gespielter, heard, gehört"
MINOR = "minor, minor key, a minor key, moll"
MAJOR = "major, major key, a major key, dur"

# Operators that are said without a number.
CONDITIONS: Mapping[str, str] = {
    "plays:0": (
        "never played, unplayed, not yet played, nie gespielt, ungespielt, ungespielte, "
        "ungespielten, nie gespielte, nie gespielten, noch nie gespielte, noch nie "
        "gespielten, noch nie gespielt, noch nicht gespielt"
    ),
    "stems:yes": "stems, separated, with stems, mit stems, getrennt",
    "stems:no": "without stems, no stems, unseparated, ohne stems, keine stems",
    "cues:yes": "with cues, mit cues, cues",
    "cues:no": "without cues, no cues, ohne cues, keine cues",
    "rating:>=4": (
        "favourites, favorites, favourite, favorite, loved, lieblinge, lieblingsstücke, "
        "favoriten, well rated, gut bewertet, top rated"
    ),
    "rating:0": "unrated, not rated, unbewertet, unbewertete, unbewerteten",
    "grid:check": "uncertain grid, check grid, unsicheres raster",
}
NUMERALS: Mapping[str, int] = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "twenty": 20,
    "a dozen": 12,
    "zwei": 2,
    "drei": 3,
    "vier": 4,
    "fünf": 5,
    "sechs": 6,
    "sieben": 7,
    "acht": 8,
    "neun": 9,
    "zehn": 10,
    "zwölf": 12,
    "zwanzig": 20,
    "ein dutzend": 12,
}
DECADES: Mapping[str, int] = {
    "fifties": 1950,
    "sixties": 1960,
    "seventies": 1970,
    "eighties": 1980,
    "nineties": 1990,
    "noughties": 2000,
    "fünfziger": 1950,
    "fünfzigern": 1950,
    "sechziger": 1960,
    "sechzigern": 1960,
    "siebziger": 1970,
    "siebzigern": 1970,
    "achtziger": 1980,
    "achtzigern": 1980,
    "neunziger": 1990,
    "neunzigern": 1990,
    "nuller": 2000,
    "nullern": 2000,
}

# Tried in this order on a word that is not known, with "y" for an "i" before it too: "noisier".
ENDINGS = (
    "er",
    "est",
    "r",
    "st",
    "s",
    "ly",
    "erer",
    "ere",
    "eren",
    "eres",
    "erem",
    "e",
    "en",
    "es",
    "em",
    "ern",
    "n",
    "ste",
    "sten",
    "este",
    "esten",
)
