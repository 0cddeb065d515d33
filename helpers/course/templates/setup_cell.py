# Setup: on Google Colab this fetches the course and adds what Colab lacks, once; elsewhere it does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("google") and importlib.util.find_spec("google.colab") and not os.path.isdir("../helpers"):
    address = os.environ.get("COURSE_REPOSITORY", "@ADDRESS@")
    if not address:
        raise RuntimeError(
            "No address to fetch the course from: os.environ['COURSE_REPOSITORY'] = 'https://…' sets one."
        )
    if not os.path.isdir("course"):
        subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", "@BRANCH@", address, "course"], check=True)
    origin = subprocess.run(
        ["git", "-C", "course", "remote", "get-url", "origin"], capture_output=True, text=True
    ).stdout
    if origin.strip() != address:
        raise RuntimeError(f"The folder course is not a clone of {address}: rename it, then run this cell again.")
    subprocess.run([sys.executable, "course/helpers/course/colab.py"], check=True)
    os.chdir("course/notebooks")
    sys.path.insert(0, os.path.dirname(os.getcwd()))
