"""Names by which a browser saves files. Pure."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote


def attachment(name: str) -> str:
    """Return the Content-Disposition by which a file is saved under a name.

    References
    ----------
    .. [1] RFC 6266, "Use of the Content-Disposition Header Field in HTTP".
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r'["\\%;]', "_", plain).strip(" .") or "file"
    if plain == name:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
