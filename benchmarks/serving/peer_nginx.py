"""Two FastAPI servers, and nginx that splits requests between them; nginx's process is ours."""

import os
import subprocess
import sys
from pathlib import Path

CONFIGURATION = Path(__file__).with_name("nginx.conf")


def main() -> None:
    """Start the servers, and become nginx: ``peer_nginx.py PORT FOLDER -- COMMAND... PORT``."""
    port, folder, _, *server = sys.argv[1:]
    champion, candidate = int(port) + 1, int(port) + 2
    for each in (champion, candidate):
        subprocess.Popen([*server, str(each)])
    text = CONFIGURATION.read_text()
    for name, value in (("PORT", port), ("CHAMPION", champion), ("CANDIDATE", candidate)):
        text = text.replace(f"127.0.0.1:{name};", f"127.0.0.1:{value};")
    Path(folder, "nginx.conf").write_text(text)
    os.execvp("nginx", ["nginx", "-p", folder, "-c", "nginx.conf"])


if __name__ == "__main__":
    main()
