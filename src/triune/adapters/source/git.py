"""Reads the project's git repository with the git command, and makes one."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from triune.adapters.account import account_name
from triune.adapters.path_patterns import covers
from triune.domain.errors import NothingIncludedError, SourceError, nearest
from triune.ports import Checkout

# What a hook's environment says of the repository that the hook runs in, which need not be ours,
# and what would change the meaning of our arguments.
_UNSET: Final = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_GLOB_PATHSPECS",
        "GIT_GRAFT_FILE",
        "GIT_ICASE_PATHSPECS",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_LITERAL_PATHSPECS",
        "GIT_NAMESPACE",
        "GIT_NOGLOB_PATHSPECS",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
_SET: Final = {
    "LC_ALL": "C",  # its messages are read
    "GIT_OPTIONAL_LOCKS": "0",  # reading must not disturb whoever works in the repository
    "GIT_TERMINAL_PROMPT": "0",
}
_FSMONITOR_OFF: Final = ("-c", "core.fsmonitor=false")  # would leave a daemon behind
_STATE: Final = ".triune"
_DVC_LOCK: Final = "dvc.lock"
_BYTECODE: Final = frozenset({".pyc", ".pyo"})
_IDENTITY: Final = re.compile(r"<(.+)>")


class GitSource:
    """The git repository that a project's folder is, or lies in."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def checkout(self, *, outputs: Sequence[str]) -> Checkout:
        """Tell commit, authors, and the paths that differ from the commit.

        Parameters
        ----------
        outputs
            Paths (or globs) that the pipeline writes; they are no dirt. Neither are ``dvc.lock``
            and Triune's own state, nor anything outside of the project's folder.

        Raises
        ------
        SourceError
            There is no repository, or it has no commit yet.
        """
        top = Path(self._git("rev-parse", "--show-toplevel").removesuffix("\n"))
        commit, author = self._head()
        return Checkout(
            repository=self._repository(top),
            commit=commit,
            dirty=tuple(
                path
                for path in self._changed(top)
                if PurePosixPath(path).name != _DVC_LOCK
                and not any(covers(output, path) for output in (_STATE, *outputs))
            ),
            authors=(author,),
        )

    def files(self, include: Sequence[str]) -> tuple[Path, ...]:
        """List files under the included paths, relative to the project, ordered.

        Ignored files and bytecode never enter. Submodules are followed, symbolic links too.

        Raises
        ------
        SourceError
            An included path is missing or holds nothing, a submodule is not checked out, or a
            symbolic link leads out of the project, or to a file that git ignores.
        """
        wanted = tuple(self._wanted(path) for path in include)
        listing = _Listing(root=self._root, wanted=wanted, list_folder=self._list)
        found = {path for path in listing.files() if not _is_bytecode(path)}
        for path in wanted:
            if not any(file.is_relative_to(path) for file in found):
                raise NothingIncludedError(self._why_nothing(path))
        return tuple(
            Path(path)
            for path in sorted(found, key=str)
            if any(path.is_relative_to(included) for included in wanted)
        )

    def tracked(self, suffix: str) -> tuple[Path, ...]:
        """List the files that the repository tracks in the project, by the end of their names.

        Links and what lies in submodules are left out.
        """
        listed = self._git("ls-files", "-z", "--cached", "--", f"*{suffix}").split("\0")[:-1]
        return tuple(
            Path(name)
            for name in sorted(set(listed))
            if (self._root / name).is_file() and not (self._root / name).is_symlink()
        )

    def initialise(self, *, message: str) -> None:
        """Make the project's folder a repository of its own with one commit of all it holds.

        Raises
        ------
        SourceError
            It is the top of a repository already, or git refuses.
        """
        repository = self._root / ".git"
        if repository.exists():
            raise SourceError(f"{self._root} is a git repository already; commit to it instead")
        try:
            self._git("init", "--quiet", "--initial-branch=main")
            self._git("add", "--all")
            # Hooks and signatures that a user set up for all repositories may ask, or refuse.
            unattended = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgSign=false")
            commit = ("commit", "--quiet", "--allow-empty", "--no-verify", f"--message={message}")
            self._git(*unattended, *self._identity(), *commit)
        except BaseException:
            shutil.rmtree(repository, ignore_errors=True)
            raise

    def actor(self) -> str:
        """Tell who works here: the e-mail address that commits carry, else the user's name."""
        return self._email("GIT_AUTHOR_IDENT") or account_name()

    def _head(self) -> tuple[str, str]:
        try:
            head = self._git("log", "-1", "--no-show-signature", "--format=%H%x00%aE", "HEAD")
        except SourceError as error:
            if "unknown revision" not in str(error) and "bad revision" not in str(error):
                raise
            raise SourceError(
                f"the repository of {self._root} has no commit yet, so a release could not say "
                "what it was built from: `git add -A && git commit -m 'First version'`"
            ) from None
        commit, author = head.removesuffix("\n").split("\0")
        return commit, author

    def _repository(self, top: Path) -> str:
        try:
            url = self._git("config", "--get", "remote.origin.url").removesuffix("\n")
        except SourceError:
            return top.name
        return _without_credentials(url)

    def _changed(self, top: Path) -> Iterator[str]:
        status = self._git(
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            "--untracked-files=all",
            "--ignore-submodules=none",
            "--",
            ".",
        )
        inside = PurePosixPath(self._root.relative_to(top.resolve()).as_posix())
        for entry in status.split("\0")[:-1]:
            # Two letters of state, a space, and the path from the top of the repository.
            yield str(PurePosixPath(entry[3:]).relative_to(inside))

    def _list(self, folder: PurePosixPath) -> list[PurePosixPath]:
        """List what git has, or would have, in a folder that is a repository's or its top."""
        listed = self._git_in(
            self._root / folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard"
        )
        return [folder / name for name in listed.split("\0")[:-1]]

    def _wanted(self, path: str) -> PurePosixPath:
        wanted = PurePosixPath(path)
        if wanted.is_absolute() or ".." in wanted.parts:
            raise SourceError(
                f"code.include names {path!r}, which is not inside of the project; a release "
                "holds what lies beside triune.yaml"
            )
        return wanted

    def _why_nothing(self, path: PurePosixPath) -> str:
        if (self._root / path).exists():
            return (
                f"code.include names {str(path)!r}, which holds no file, or none but bytecode and "
                "what git ignores; `git check-ignore -v` tells which rule does"
            )
        parent = path.parent
        while not (self._root / parent).is_dir():
            parent = parent.parent
        there = [str(parent / found.name) for found in (self._root / parent).iterdir()]
        return (
            f"code.include names {str(path)!r}, which is not in {self._root}"
            f"{nearest(str(path), there) or '; correct code.include in triune.yaml'}"
        )

    def _identity(self) -> tuple[str, ...]:
        """Stand in for an identity where git has none."""
        if self._email("GIT_AUTHOR_IDENT") and self._email("GIT_COMMITTER_IDENT"):
            return ()
        user = account_name()
        return ("-c", f"user.name={user}", "-c", f"user.email={user}@localhost")

    def _email(self, variable: str) -> str | None:
        try:
            identity = _IDENTITY.search(self._git("var", variable))
        except SourceError:
            return None
        return identity[1] if identity else None

    def _git(self, *arguments: str) -> str:
        return self._git_in(self._root, *arguments)

    def _git_in(self, folder: Path, *arguments: str) -> str:
        git = shutil.which("git")
        if git is None:
            raise SourceError("git is not installed; install it (`apt install git`, say)")
        kept = {name: value for name, value in os.environ.items() if name not in _UNSET}
        try:
            done = subprocess.run(
                [git, *_FSMONITOR_OFF, *arguments],
                cwd=folder,
                env={**kept, **_SET},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except OSError as error:
            raise SourceError(f"cannot run git in {folder}: {error.strerror}") from error
        if done.returncode:
            raise SourceError(self._refusal(arguments[0], os.fsdecode(done.stderr)))
        try:
            return done.stdout.decode()
        except UnicodeDecodeError as error:
            at = done.stdout[max(0, error.start - 40) : error.start + 40]
            raise SourceError(
                f"a name in {folder} is not UTF-8: {at!r}; rename that file"
            ) from error

    def _refusal(self, verb: str, told: str) -> str:
        if "not a git repository" in told:
            return (
                f"{self._root} is in no git repository; make it one: "
                "`git init && git add -A && git commit -m 'First version'`"
            )
        if "dubious ownership" in told:
            return (
                f"git does not trust the repository of {self._root}, which belongs to another "
                f"user; if you do: `git config --global --add safe.directory {self._root}`"
            )
        return (
            f"git {verb} failed in {self._root}: {' '.join(told.split()) or 'it did not say why'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """Files of a repository, with what submodules hold and symbolic links lead to.

    Only what concerns the wanted paths is looked at: a broken link elsewhere is no concern.
    """

    root: Path
    wanted: tuple[PurePosixPath, ...]
    list_folder: Callable[[PurePosixPath], list[PurePosixPath]]

    def files(self) -> Iterator[PurePosixPath]:
        """List regular files, some of them more than once, and some that are not wanted."""
        return self._in_repository(PurePosixPath())

    def _in_repository(self, folder: PurePosixPath) -> Iterator[PurePosixPath]:
        for path in self.list_folder(folder):
            if self._concerns(path):
                yield from self._at(path, through=())

    def _concerns(self, path: PurePosixPath) -> bool:
        return any(
            path.is_relative_to(other) or other.is_relative_to(path) for other in self.wanted
        )

    def _at(self, path: PurePosixPath, *, through: tuple[Path, ...]) -> Iterator[PurePosixPath]:
        place = self.root / path
        if place.is_symlink():
            yield from self._behind(path, through=through)
        elif place.is_dir():
            # To git a folder is one entry only where another repository begins.
            if not (place / ".git").exists():
                raise SourceError(
                    f"the submodule {path} is not checked out: `git submodule update --init`"
                )
            yield from self._in_repository(path)
        elif place.is_file():  # not if it is deleted, and not yet from the index
            yield path

    def _behind(self, link: PurePosixPath, *, through: tuple[Path, ...]) -> Iterator[PurePosixPath]:
        target = (self.root / link).resolve()
        if not target.is_relative_to(self.root):
            raise SourceError(
                f"the symbolic link {link} leads out of the project, to {target}; put the file "
                "itself there, as a release cannot hold what is elsewhere"
            )
        if target in through or (self.root / link).is_relative_to(target):
            raise SourceError(f"the symbolic link {link} leads to a folder around it; remove it")
        inside = PurePosixPath(target.relative_to(self.root).as_posix())
        if target.is_file():
            if ".git" in inside.parts or inside not in self.list_folder(inside.parent):
                raise SourceError(
                    f"the symbolic link {link} leads to {inside}, which git ignores, and what git "
                    "ignores never enters a release; put the file itself there, or track it with "
                    f"`git add --force {inside}`"
                )
            yield link
            return
        if not target.is_dir():
            raise SourceError(f"the symbolic link {link} leads nowhere; mend or remove it")
        for path in self.list_folder(inside):
            for found in self._at(path, through=(*through, target)):
                yield link / found.relative_to(inside)


def _is_bytecode(path: PurePosixPath) -> bool:
    return "__pycache__" in path.parts or path.suffix in _BYTECODE


def _without_credentials(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url  # a path, or user@host:path, which has no room for a password
    host, slash, path = rest.partition("/")
    bare = host.rpartition("@")[2]
    return f"{scheme}://{bare}{slash}{path.partition('?')[0]}"
