"""Fit the weights of `sfa_engine.agents.likeness`: ``python -m sfa_engine.bench.fit_likeness``.

To phrases.toml and to all sentences of `sfa bench agents` but those that are only ever scored. It
says how many of them are right if each is left out of the fit, which is what counts: all of them
are right if none is.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sfa_engine.agents.contract import AGENTS, AgentName
from sfa_engine.agents.likeness import BUCKETS, PHRASES, WEIGHTS, Floats, Weights, buckets, shares
from sfa_engine.agents.routing import STEMS, scores_of
from sfa_engine.library.folding import fold

SENTENCES = Path(__file__).with_name("agent_sentences.toml")
FITTED = ("sentence", "rest", "later", "loose")
RIDGE = 1.0  # 0.5 and 2 are right as often, within 0.4 %, if each phrase is left out
POINT = 0.1  # share of a point by stems, beside pieces whose squares have the sum 1
Labelled = tuple[str, AgentName]


def labelled() -> list[Labelled]:
    """Return all that weights are fitted to."""
    bank = tomllib.loads(PHRASES.read_text(encoding="utf-8"))
    sets = tomllib.loads(SENTENCES.read_text(encoding="utf-8"))
    found = [(phrase, agent) for agent in AGENTS for phrase in bank[agent]]
    rows: list[dict[str, Any]] = [each for name in FITTED for each in sets[name]]
    return found + [(each["text"], each["agent"]) for each in rows if "agent" in each]


def digest() -> str:
    """Return the digest of phrases, sentences and stems."""
    said = json.dumps([labelled(), STEMS, BUCKETS, RIDGE, POINT]).encode()
    return hashlib.sha256(said).hexdigest()


def fitted(phrases: Sequence[Labelled]) -> tuple[Weights, Floats]:
    """Return weights, and the scores of each phrase if it is left out.

    Returns
    -------
    Weights
        Of all phrases.
    float32[phrases, agents]
        Of each, as it would be if it were left out.
    """
    found = [buckets(text) for text, _ in phrases]
    counts = np.zeros(BUCKETS)
    for each in found:
        counts[each] += 1
    rare = np.log((1 + len(phrases)) / (1 + counts)) + 1
    rarity = np.where(counts > 0, rare, 0.0).astype(np.float32)
    rows = np.zeros((len(phrases), BUCKETS + len(AGENTS)), np.float32)
    for row, (each, (text, _)) in enumerate(zip(found, phrases, strict=True)):
        rows[row, each] = shares(each, rarity)
        points = scores_of(text)
        rows[row, BUCKETS:] = [POINT * points[agent] for agent in AGENTS]
    wanted = np.array([[float(agent == each) for each in AGENTS] for _, agent in phrases])
    inverse = np.linalg.inv((rows @ rows.T).astype(np.float64) + RIDGE * np.eye(len(rows)))
    dual = inverse @ (wanted - 1 / len(AGENTS))
    primal = rows.T @ dual.astype(np.float32)
    left_out = (wanted - dual / np.diag(inverse)[:, None]).astype(np.float32)
    words = Counter(word for text, _ in phrases for word in fold(text).split())
    known = {word: at for at, (word, _) in enumerate(words.most_common()) if word.isalpha()}
    made = Weights(rarity, primal[:BUCKETS], POINT * primal[BUCKETS:], known, digest())
    return made, left_out


def right(scores: Floats, phrases: Sequence[Labelled]) -> NDArray[np.bool_]:
    """Return whether the best score of each phrase is that of its agent."""
    wanted = np.array([AGENTS.index(agent) for _, agent in phrases])
    return np.asarray(scores.argmax(axis=1) == wanted, np.bool_)


def margins(scores: Floats) -> Floats:
    """Return by how much the best score of each phrase is above the next one."""
    best = np.sort(scores, axis=1)
    return np.asarray(best[:, -1] - best[:, -2], np.float32)


def main() -> None:
    """Fit, write the file, and say how good the fit is."""
    phrases = labelled()
    made, left_out = fitted(phrases)
    np.savez_compressed(
        WEIGHTS,
        rarity=made.rarity.astype(np.float16),
        pieces=made.pieces.astype(np.float16),
        stems=made.stems,
        words=np.array(" ".join(made.words)),
        digest=np.array(made.digest),
    )
    is_right, margin = right(left_out, phrases), margins(left_out)
    print(f"{len(phrases)} phrases, {100 * is_right.mean():.1f} % right if each is left out")
    for least in (0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
        sure = margin >= least
        print(
            f"margin {least:g}: {100 * sure.mean():.0f} % are sure,"
            f" {100 * is_right[sure].mean():.1f} % of them right"
        )


if __name__ == "__main__":
    main()
