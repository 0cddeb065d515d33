# Setup: on Google Colab this fetches the course and adds what Colab lacks, once; elsewhere it does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("google") and importlib.util.find_spec("google.colab") and not os.path.isdir("../helpers"):
    address, commit = os.environ.get("COURSE_REPOSITORY"), ""
    if not address:
        address, commit = "@ADDRESS@", "@COMMIT@"  # the commit that this notebook was made with
    if not address:
        raise RuntimeError(
            "No address to fetch the course from: os.environ['COURSE_REPOSITORY'] = 'https://…' sets one."
        )
    git = ["git", "-C", "course"]
    if not os.path.isdir("course"):
        subprocess.run(["git", "init", "-q", "course"], check=True)
        subprocess.run([*git, "remote", "add", "origin", address], check=True)
    origin, head = (
        subprocess.run([*git, *words], capture_output=True, text=True).stdout.strip()
        for words in (["remote", "get-url", "origin"], ["rev-parse", "-q", "--verify", "HEAD"])
    )
    if origin != address:
        raise RuntimeError(f"The folder course is not a clone of {address}: rename it, then run this cell again.")
    if not head or commit not in ("", head):
        subprocess.run([*git, "fetch", "-q", "--depth", "1", "origin", commit or "@BRANCH@"], check=True)
        subprocess.run([*git, "checkout", "-q", "--detach", "FETCH_HEAD"], check=True)
    subprocess.run([sys.executable, "course/helpers/course/colab.py"], check=True)
    os.chdir("course/notebooks")
    sys.path.insert(0, os.path.dirname(os.getcwd()))
