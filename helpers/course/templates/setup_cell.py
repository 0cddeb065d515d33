# Setup: on Google Colab this fetches the course and adds what Colab lacks, once; elsewhere it does nothing.
import importlib.util
import os
import subprocess
import sys

if importlib.util.find_spec("google") and importlib.util.find_spec("google.colab") and not os.path.isdir("../helpers"):
    public = "https://github.com/@REPOSITORY@"
    address = os.environ.get("COURSE_REPOSITORY", public)
    if not os.path.isdir("course"):
        subprocess.run(["git", "clone", "-q", "--depth", "1", "-b", "@BRANCH@", address, "course"], check=True)
    subprocess.run([sys.executable, "course/helpers/course/colab.py"], check=True)
    os.chdir("course/notebooks")
    sys.path.insert(0, os.path.dirname(os.getcwd()))
