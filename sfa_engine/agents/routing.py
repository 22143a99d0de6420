"""Which agent an instruction is for: stems of words, and likeness to phrases; English and German.

A stem matches from the beginning of a word on, whatever the ending: "analys" is in analyse and in
Analysen. Each stem counts once. What people say without any of these words is compared with
phrases, see `likeness`; both are summed, and the agent with the highest score answers. Nothing at
all is for the library, which only searches.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from msgspec import Struct

from sfa_engine.agents import likeness
from sfa_engine.agents.contract import AGENTS, AgentName, Turn
from sfa_engine.agents.reference import names_a_track
from sfa_engine.library.folding import fold

MARGIN = 0.2  # of scores: 94 % of the phrases above it are right if they are left out of the fit
LEAST = 0.02  # of scores: with a smaller margin nothing is known of a question
MAX_CHARACTERS = 2000

# Of each agent, what speaks for it: expressions on the folded text (no accents, lower case, words
# with one space between them), each with its points. 5: names the thing itself; 3: usual for it;
# 2 and less: it depends on what else is said.
STEMS: Mapping[AgentName, Mapping[str, float]] = {
    "track": {
        r"\banaly[sz]": 3,
        r"\b(?:beat ?)?grid|\bbeatgrid|\braster": 4,
        r"\bdownbeat": 3,
        r"\bbpms?\b": 2,
        r"\btempo": 2,
        r"\bkeys?\b": 2,
        r"\btonart": 2,
        r"\bhow fast\b|\bwie schnell\b": 3,
        r"\btakt\b|\btaktart|\btime signature": 2,
        r"\bhalf a beat|\bhalben schlag|\bwhole beat|\bganzen schlag": 2,
        r"\bsections?\b|\babschnitt": 3,
        r"\baufbau|\baufgebaut|\bstru[ck]tur|\barrangement": 3,
        r"\bhow many (?:bars|beats|drops|breaks)|\bwie viele (?:takte|beats|drops|breaks)": 3,
        r"\bmetadat|\beckdaten|\bwhich bar\b|\bwelche[mr]? takt": 3,
        r"\b(?:song|track|this|it) in [a-h]\b": 2.5,
        r"\bdetails?\b|\binfos?\b|\binformation": 2,
        r"\bverschieb|\bbeats? (?:late|early|off)\b|\bzu (?:spat|fruh)\b": 2,
        r"\bbreakdown": 2,
        r"\b(?:when|wann|where|wo)\b.*\b(?:break|drop|intro|outro|build|chorus|refrain)": 2.5,
        r"\bsummar|\bzusammenfass|\bfass\b|\boverview|\buberblick": 3,
        r"\bzahlzeit|\bauftakt": 3,
        r"\bcamelot|\bwheel\b|\bneighbou?rs?\b|\bnachbarn?\b": 3,
        r"\bdrift|\bschwank|\bvariable": 3,
        r"\benerg": 1,
        r"\beverything you know|\btell me (?:all|everything|more|about)": 3,
        r"\bwas weisst du|\berzahl": 3,
        r"\bhow long (?:is|does)|\bwie lang|\bduration\b|\bspieldauer": 3,
        r"\b(?:which|what|welche[smrn]?) (?:genre|year|jahr|album)\b": 3,
        r"\bwho (?:is|made|plays|sings|wrote)\b|\bvon wem\b|\bwer hat\b": 2,
        r"\bwhat do you know|\babout this|\buber dies": 2,
        r"\bconfiden": 2,
        r"\bsure\b|\bsicher\b": 1,
    },
    "mix": {
        r"\bmix(?:e|es|en|t|ing|ed)?\b(?! (?:in|out) (?:point|punkt))": 2,
        r"\bplan": 2,
        r"\b(?:transition|ubergang|uebergang)": 4,
        r"\bcross ?fad|\b\w*uberblend|\bueberblend": 4,
        r"\bblend": 3,
        r"\bmischung|\bmisch": 3,
        r"\bineinander|\bnacheinander|\bhintereinander|\baufeinander": 3,
        r"\bfad(?:e|es|ing)\b|\bsegue|\bmedley|\bdj set|\btrack ?list|\brunning order": 3,
        r"\babfolge|\breihe\b|\bplay order|\bflow": 2.5,
        r"\binto\b(?! parts| stems)": 1,
        r"\bcomes? (?:first|last|next|after)|\bgo first|\bals erste|\bals letzte|\bzuerst": 3,
        r"\b(?:work|go|fit) together|\bzusammen(?!fass)|\bjoin\b|\bcombine": 3,
        r"\bopener|\bcloser": 2,
        r"\breihenfolge": 4,
        r"\b(?:re)?order\b|\breorder": 3,
        r"\bordne|\banordn|\bsortier": 3,
        r"\barrange|\bsequenc": 3,
        r"(?!^)\bsets?\b": 1.5,
        r"\bwarm ?up|\bclosing set|\bopening set": 3,
        r"\b(?:hours?|stunden?|minutes|minuten) (?:of|lang|long|set|mix|mit)\b|\b\w*stundig": 3,
        r"\b(?:a|an|two|three|eine|zwei|drei) (?:hours?|stunden?)\b": 2,
        r"\brising|\bansteig|\bsteiger|\bpeaks? (?:late|at)|\bhohepunkt": 2,
        r"\bget from\b|\bwie komme ich|\bkomme ich von": 3,
        r"\b(?:from|von) (?:\w+ ){1,3}(?:into|to|zu|nach)\b": 2,
        r"\b\d+ (?:into|in|zu) \d+\b": 3,
    },
    "stems": {
        r"\bstems?\b": 5,
        r"\bisol": 4,
        r"\bseparat|\btrenn|\babtrenn": 4,
        r"\ba ?cap?pell": 4,
        r"\b\w*loops?\b|\b\w*schleifen?\b": 5,
        r"\bvocal|\bvoices?\b|\bstimmen?\b|\bgesang": 2.5,
        r"\bs[iau]ng(?:s|t|en|er|ers|erin|ing)?\b": 3,
        r"\bdrums\b|\bdrum\b(?! (?:and |n |und )?bass)|\bschlagzeug": 2,
        r"(?<!drum )(?<!drum and )(?<!drum und )\bbass(?:es|line)?\b|\bbasse\b": 1.5,
        r"\bbleed|\bubersprech": 3,
        r"\b\w*spur(?:en)?\b": 3,
        r"\b(?:the|an|ein|das) instrumental|\binstrumental version|\bkaraoke|\binstrumental of": 3,
        r"\bextract|\bextrah|\bzerleg|\bsplit": 3,
        r"\b(?:loud|laut)\b.*\b(?:drum|bass|vocal|singer|gesang|schlagzeug|stimme)": 2.5,
        r"\b(?:parts?|passages?|abschnitte?|stellen?|teile?)\b.*\b(?:vocal|gesang|sing|stimme)": 3,
    },
    "cues": {
        r"\b(?:hot ?|memory ?)?cue": 5,
        r"\bmarker|\bmarkierung": 4,
        r"\bmarks?\b|\bmarked|\bmarkier": 3,
        r"\bmix (?:in|out) (?:point|punkt)": 4,
        r"\b(?:jump|start|entry|exit) ?(?:point|punkt)|\bsprungpunkt|\bsprungmarke": 4,
        r"\b(?:einstieg|ausstieg|einsprung)\w*": 4,
    },
    "mastering": {
        r"\b\w*master(?!s degree)": 4,
        r"\bloud(?:ness)?\b|\blouder": 3,
        r"\blaut(?:er)?\b": 2,
        r"\blautheit|\blautstark": 4,
        r"\blufs\b|\bdbtp\b": 4,
        r"\btrue peak|\bspitzenpegel|\bpegel": 4,
        r"\bclip|\bpeaks? (?:over|above)|\bpeaking\b": 3,
        r"\bheadroom|\bnormali[sz]": 4,
        r"\btoo hot\b|\bdumpf|\bmuffled|\bdull\b|\bharsh|\bboomy|\bmuddy|\btinny": 3,
        r"\bsub ?bass": 2,
        r"\breleas|\bveroffentlich": 2,
        r"\bubersteuer|\bverzerr|\bdistort": 4,
        r"\beqs?\b|\bequali[sz]": 3,
        r"\bcompress|\bkompress|\bkomprim": 3,
        r"\blimiter|\blimiting": 4,
        r"\bspotify|\byoutube|\bstreaming|\bapple music|\bsoundcloud": 3,
        r"\bbroadcast|\brundfunk|\bradio": 3,
        r"\bstereo": 3,
        r"\bmono\b": 2.5,
        r"\bdynami[ck]": 2,
        r"\btoo quiet|\bzu leise|\bleiser\b|\bturn it down|\bturned down": 3,
        r"\btreble|\bhohen\b|\bspectr|\bspektr|\blow end\b|\bhigh end\b": 3,
    },
    "library": {
        r"\bfind": 3,
        r"\bsearch|\bsuch(?:e|en|st|t)?\b": 4,
        r"\blooking for": 4,
        r"\bsimilar|\bahnlich|\baehnlich|\bsounds? like": 3,
        r"\b(?:songs|tracks|tunes|stucke|titel|lieder) (?:like|wie)\b": 3,
        r"\bgoes? (?:well )?with|\bpass(?:t|en|end) zu": 4,
        r"\brecommend|\bempf[ei]hl|\bempfiehl": 4,
        r"\bplaylist": 2.5,
        r"\blibrar|\bbiblioth|\bsammlung|\bcollection": 4,
        r"\bshow me everything|\bzeig mir alle": 2,
        r"\badded\b|\bhinzugefug|\bneu dazu": 3,
        r"\b(?:most |never |not )?played\b|\bgespielt": 2,
        r"\bartist|\bkunstler|\bkuenstler": 3,
        r"\bmore (?:of|from|by)\b|\bmehr von": 3,
        r"^any\b|\bhave you got|\bgot any": 2,
        r"\bsomething|\banything|\betwas\b|\birgendwas": 2,
        r"\b(?:around|um|about) \d": 2,
        r"\bzwischen \d+ und \d+|\bbetween \d+ and \d+": 1.5,
        r"\b(?:tracks|songs|tunes|titel|lieder|stucke) (?:with|that|from|over|under|by)\b": 2,
        r"\b(?:tracks|songs|titel|lieder|stucke) (?:mit|von|uber|unter|in \d|in [a-h]\b)": 2,
        r"\b(?:tracks|songs|tunes|titel|lieder|stucke)\b.*\b\d+ bpm": 4,
        r"\b(?:fast|slow|loud|quiet|long|short|dark|bright|new|old|hard|calm)est (?:track|song)": 4,
        r"\b(?:which|what) (?:track|song)\b.*est\b|\bwelche[rs] (?:titel|lied|track)\b.*sten\b": 4,
        r"\b(?:the|my|what|which) (?:\w+ ){0,3}(?:most|least) \w+|\bam \w+sten\b": 2.5,
        r"\bhow many (?:tracks|songs|titles)|\bwie viele (?:tracks|titel|lieder|stucke|songs)": 4,
        r"\bfaster|\bslower|\bschneller|\blangsamer": 2,
        r"\b(?:which|what) (?:tracks|songs)\b": 6,
        r"\bwelche (?:lieder|titel|tracks|stucke|songs)\b": 6,
        r"\bdo i have\b|\bhabe ich\b|\bhast du\b|\bhave i\b": 2,
        r"\bplay (?:after|next)\b|\bdanach\b|\bals nachstes\b": 3,
        r"\b(?:techno|house|trance|ambient|dnb|disco|jazz|drum bass|drum and bass)\b": 1,
        r"\b(?:with|without|no|mit|ohne) (?:female |male )?(?:vocals|gesang|klavier)": 2,
    },
}  # fmt: skip


class Route(Struct, frozen=True):
    """The agent that an instruction is for.

    Attributes
    ----------
    agent : AgentName
    margin : float
        By how much its score is above the next one; near 0 for nothing.
    rivals : tuple of AgentName
        The others, the most likely first; none if all are as likely.
    score : float
        Of the agent: about 1 if it is meant.
    """

    agent: AgentName
    margin: float
    rivals: tuple[AgentName, ...] = ()
    score: float = 0.0


def route(instruction: str, history: Sequence[Turn] = ()) -> Route:
    """Return the agent that an instruction is for.

    Parameters
    ----------
    instruction : str
        In the user's words.
    history : sequence of Turn
        What refers to a track and says nothing else, as "and the second one?", is for the agent
        that answered last.
    """
    text = likeness.corrected(instruction)
    stems = scores_of(text)
    if history and not any(stems.values()) and names_a_track(instruction):
        return Route(history[-1].agent, MARGIN)
    scores = likeness.scores(text, stems)
    ranked = sorted(scores, key=lambda agent: -scores[agent])
    best, second = ranked[:2]
    margin = scores[best] - scores[second]
    if margin < LEAST:
        best = "library"
    rivals = tuple(agent for agent in ranked if agent != best) if margin else ()
    return Route(best, margin, rivals, scores[best])


def scores_of(instruction: str) -> dict[AgentName, float]:
    """Return the points that each agent has by stems."""
    text = fold(instruction[:MAX_CHARACTERS])
    return {
        agent: sum(points for pattern, points in _compiled()[agent] if pattern.search(text))
        for agent in AGENTS
    }


@cache
def _compiled() -> Mapping[AgentName, Sequence[tuple[re.Pattern[str], float]]]:
    return {
        agent: [(re.compile(stem), points) for stem, points in stems.items()]
        for agent, stems in STEMS.items()
    }
