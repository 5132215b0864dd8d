"""The project's repository is read through git, whatever state it is in."""

import os
import subprocess
from pathlib import Path

import pytest

from triune.adapters.source.git import GitSource
from triune.domain.errors import SourceError


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    (tmp_path / "gitconfig").write_text(
        "[user]\nname = Ada\nemail = ada@example.org\n"
        '[init]\ndefaultBranch = main\n[protocol "file"]\nallow = always\n'
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a repository with one commit of ``src/features.py``."""
    root = tmp_path / "churn"
    write(root / "src" / "features.py", "x = 1\n")
    git(root, "init", "--quiet")
    commit(root)
    return root


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(root: Path, message: str = "change") -> None:
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)


def write(path: Path, content: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def names(root: Path, *include: str) -> list[str]:
    return [path.as_posix() for path in GitSource(root).files(include)]


def dirty(root: Path, *outputs: str) -> tuple[str, ...]:
    return GitSource(root).checkout(outputs=outputs).dirty


class TestCheckout:
    def test_a_clean_tree_has_its_commit_and_its_author(self, root: Path) -> None:
        checkout = GitSource(root).checkout(outputs=())

        assert checkout.commit == git(root, "rev-parse", "HEAD")
        assert checkout.authors == ("ada@example.org",)
        assert checkout.dirty == ()
        assert checkout.repository == "churn"

    def test_changed_new_deleted_staged_and_renamed_files_are_dirt(self, root: Path) -> None:
        for name in ("deleted.py", "renamed.py", "staged.py"):
            write(root / name, f"{name}\n" * 9)
        commit(root)
        write(root / "src" / "features.py", "x = 2\n")
        (root / "deleted.py").unlink()
        git(root, "mv", "renamed.py", "new name.py")
        write(root / "staged.py", "y\n")
        git(root, "add", "staged.py")
        write(root / "sub" / "ünträcked\nfile.py")

        found = dirty(root)

        assert sorted(found) == [
            "deleted.py",
            "new name.py",
            "renamed.py",
            "src/features.py",
            "staged.py",
            "sub/ünträcked\nfile.py",
        ]

    def test_what_is_ignored_or_written_by_the_pipeline_is_no_dirt(self, root: Path) -> None:
        write(root / ".gitignore", "*.log\n")
        for tracked in ("dvc.lock", "sub/dvc.lock", "data/train.parquet", "models/model.joblib"):
            write(root / tracked)
        commit(root)
        for written in (
            "dvc.lock",
            "sub/dvc.lock",
            "data/train.parquet",
            "models/model.joblib",
            "parts/2024/a.csv",
            "train.log",
            ".triune/ledger.db",
        ):
            write(root / written, "other\n")

        assert dirty(root, "data/train.parquet", "models", "parts/**/*.csv") == ()
        assert dirty(root, "data/train.csv") == (
            "data/train.parquet",
            "models/model.joblib",
            "parts/2024/a.csv",
        )

    def test_a_project_in_a_subfolder_has_its_own_paths_and_its_own_dirt(self, root: Path) -> None:
        write(root / "projects" / "one" / "src" / "a.py")
        write(root / "projects" / "two" / "src" / "b.py")
        commit(root)
        write(root / "projects" / "one" / "src" / "a.py", "y\n")
        write(root / "projects" / "one" / "new.py")
        write(root / "projects" / "two" / "src" / "b.py", "y\n")
        one = root / "projects" / "one"

        assert dirty(one) == ("src/a.py", "new.py")
        assert names(one, "src", "new.py") == ["new.py", "src/a.py"]
        assert GitSource(one).checkout(outputs=()).repository == "churn"

    @pytest.mark.parametrize(
        ("url", "shown"),
        [
            ("https://ada:s3cret@example.org/a/churn.git", "https://example.org/a/churn.git"),
            ("https://t0ken@example.org:8443/churn.git", "https://example.org:8443/churn.git"),
            ("https://example.org/churn.git?token=s3cret", "https://example.org/churn.git"),
            ("ssh://git@example.org/@scope/churn.git", "ssh://example.org/@scope/churn.git"),
            ("git@example.org:a/churn.git", "git@example.org:a/churn.git"),
            ("/srv/git/churn.git", "/srv/git/churn.git"),
        ],
    )
    def test_the_repository_is_its_origin_without_credentials(
        self, root: Path, url: str, shown: str
    ) -> None:
        git(root, "remote", "add", "origin", url)

        assert GitSource(root).checkout(outputs=()).repository == shown

    def test_a_detached_head_and_a_shallow_clone_have_a_commit(
        self, root: Path, tmp_path: Path
    ) -> None:
        write(root / "more.py")
        commit(root)
        shallow = tmp_path / "shallow"
        git(tmp_path, "clone", "--quiet", "--depth=1", root.as_uri(), str(shallow))
        git(shallow, "checkout", "--quiet", "--detach")

        checkout = GitSource(shallow).checkout(outputs=())

        assert checkout.commit == git(root, "rev-parse", "HEAD")
        assert checkout.dirty == ()

    def test_a_hooks_environment_does_not_lead_to_another_repository(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        write(other / "src" / "other.py")
        git(other, "init", "--quiet")
        commit(other)
        expected = git(root, "rev-parse", "HEAD")
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(other))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        monkeypatch.setenv("GIT_PREFIX", "src/")

        assert GitSource(root).checkout(outputs=()).commit == expected
        assert names(root, "src") == ["src/features.py"]

    def test_a_users_settings_change_nothing(self, root: Path, tmp_path: Path) -> None:
        with (tmp_path / "gitconfig").open("a") as settings:
            settings.write(
                "[status]\nshowUntrackedFiles = no\nrelativePaths = false\nshort = true\n"
                "branch = true\n[log]\nshowSignature = true\n[color]\nui = always\n"
                "[core]\nquotePath = true\n"
            )
        write(root / "ünträcked.py")

        checkout = GitSource(root).checkout(outputs=())

        assert checkout.dirty == ("ünträcked.py",)
        assert checkout.authors == ("ada@example.org",)

    def test_reading_leaves_the_index_alone(self, root: Path) -> None:
        index = root / ".git" / "index"
        os.utime(root / "src" / "features.py", (1, 1))
        before = index.read_bytes()

        GitSource(root).checkout(outputs=())

        assert index.read_bytes() == before

    def test_a_changed_submodule_is_dirt(self, root: Path, tmp_path: Path) -> None:
        library = tmp_path / "library"
        write(library / "lib.py")
        git(library, "init", "--quiet")
        commit(library)
        git(root, "submodule", "--quiet", "add", library.as_uri(), "vendor/library")
        commit(root)
        assert dirty(root) == ()

        write(root / "vendor" / "library" / "lib.py", "y\n")

        assert dirty(root) == ("vendor/library",)


class TestRefusals:
    def test_a_folder_that_is_in_no_repository_is_refused(self, tmp_path: Path) -> None:
        refusal = "is in no git repository; make it one: `git init"

        with pytest.raises(SourceError, match=refusal):
            GitSource(tmp_path).checkout(outputs=())
        with pytest.raises(SourceError, match=refusal):
            GitSource(tmp_path).files(["."])

    def test_a_repository_without_a_commit_is_refused(self, tmp_path: Path) -> None:
        git(tmp_path, "init", "--quiet")

        with pytest.raises(SourceError, match=r"has no commit yet.*`git add -A && git commit"):
            GitSource(tmp_path).checkout(outputs=())

    def test_a_repository_of_somebody_else_is_refused_with_what_to_do(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

        with pytest.raises(SourceError, match=r"config --global --add safe\.directory .*churn"):
            GitSource(root).checkout(outputs=())

    def test_a_machine_without_git_is_refused(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(root))

        with pytest.raises(SourceError, match="git is not installed"):
            GitSource(root).checkout(outputs=())

    def test_a_name_that_is_not_utf8_is_refused(self, root: Path) -> None:
        (root / "src" / os.fsdecode(b"na\xefve.py")).write_text("x\n")

        with pytest.raises(SourceError, match="is not UTF-8"):
            GitSource(root).files(["src"])


class TestFiles:
    def test_tracked_and_new_files_are_listed_in_order(self, root: Path) -> None:
        for name in ("src/b c.py", "src/ä\n.py", "src/a/deep.py", "params.yaml", "other.py"):
            write(root / name)

        assert names(root, "src", "params.yaml") == [
            "params.yaml",
            "src/a/deep.py",
            "src/b c.py",
            "src/features.py",
            "src/ä\n.py",
        ]

    def test_ignored_deleted_and_compiled_files_never_enter(self, root: Path) -> None:
        write(root / "src" / "__pycache__" / "tracked.cpython-311.pyc")
        write(root / "src" / "tracked.pyo")
        write(root / "src" / "deleted.py")
        commit(root)
        (root / "src" / "deleted.py").unlink()
        write(root / ".gitignore", "secret.*\n")
        write(root / "src" / "secret.env")
        write(root / "src" / "new.pyc")

        assert names(root, "src") == ["src/features.py"]

    def test_an_executable_file_that_is_tracked_though_ignored_enters(self, root: Path) -> None:
        write(root / ".gitignore", "*.sh\n")
        write(root / "src" / "run.sh")
        git(root, "add", "--force", "src/run.sh")

        assert names(root, "src") == ["src/features.py", "src/run.sh"]

    def test_everything_can_be_included(self, root: Path) -> None:
        assert names(root, ".") == ["src/features.py"]

    def test_signs_of_patterns_in_a_path_mean_themselves(self, root: Path) -> None:
        write(root / "s[r]c" / "a.py")
        write(root / ":(top)" / "b.py")

        assert names(root, "s[r]c", ":(top)") == [":(top)/b.py", "s[r]c/a.py"]

    def test_a_path_that_is_not_there_is_refused_with_the_nearest(self, root: Path) -> None:
        with pytest.raises(SourceError, match=r"'scr', which is not in .*; did you mean 'src'\?"):
            names(root, "scr")
        with pytest.raises(SourceError, match=r"did you mean 'src/features\.py'\?"):
            names(root, "src/feature.py")

    def test_a_path_that_holds_nothing_to_take_is_refused(self, root: Path) -> None:
        write(root / ".gitignore", "data\n")
        write(root / "data" / "a.csv")
        (root / "empty").mkdir()

        for path in ("data", "empty"):
            with pytest.raises(SourceError, match=f"'{path}', which holds no file, or none but"):
                names(root, path)

    @pytest.mark.parametrize("path", ["../elsewhere", "/etc", "src/../../elsewhere"])
    def test_a_path_outside_of_the_project_is_refused(self, root: Path, path: str) -> None:
        with pytest.raises(SourceError, match="is not inside of the project"):
            names(root, path)

    def test_links_within_the_project_are_followed(self, root: Path) -> None:
        write(root / "shared" / "deep" / "a.py")
        (root / "src" / "file.py").symlink_to("features.py")
        (root / "src" / "folder").symlink_to("../shared")
        (root / "code").symlink_to("src")
        commit(root)

        assert names(root, "src") == ["src/features.py", "src/file.py", "src/folder/deep/a.py"]
        assert names(root, "code/folder") == ["code/folder/deep/a.py"]

    def test_links_out_of_the_project_to_nowhere_or_in_circles_are_refused(
        self, root: Path, tmp_path: Path
    ) -> None:
        write(tmp_path / "secret.py")
        link = root / "src" / "link"
        for target, message in (
            ("../../secret.py", r"src/link leads out of the project, to .*secret\.py"),
            ("/etc", "leads out of the project"),
            ("gone.py", "src/link leads nowhere"),
            ("..", "leads to a folder around it"),
            (".", "leads to a folder around it"),
        ):
            link.symlink_to(target)

            with pytest.raises(SourceError, match=message):
                names(root, "src")
            link.unlink()

    @pytest.mark.parametrize("target", ["../secret.env", "../data/deep/a.csv", "../.git/config"])
    def test_a_link_to_an_ignored_file_is_refused_and_to_a_tracked_one_is_not(
        self, root: Path, target: str
    ) -> None:
        write(root / ".gitignore", "secret.env\ndata\n")
        write(root / "secret.env")
        write(root / "data" / "deep" / "a.csv")
        link = root / "src" / "link"
        link.symlink_to(target)

        with pytest.raises(SourceError, match="src/link leads to"):
            names(root, "src")
        if ".git" not in target:
            git(root, "add", "--force", str(link.resolve()))
            assert names(root, "src") == ["src/features.py", "src/link"]

    def test_ignored_files_of_a_folder_that_a_link_leads_to_stay_out(self, root: Path) -> None:
        write(root / ".gitignore", "*.env\nprivate\n")
        write(root / "shared" / "a.py")
        write(root / "shared" / "secret.env")
        write(root / "private" / "key.txt")
        (root / "shared" / "inner.py").symlink_to("a.py")
        (root / "src" / "folder").symlink_to("../shared")
        (root / "src" / "private").symlink_to("../private")

        assert names(root, "src") == [
            "src/features.py",
            "src/folder/a.py",
            "src/folder/inner.py",
        ]

    def test_links_that_are_not_included_are_no_concern(self, root: Path) -> None:
        (root / "elsewhere").symlink_to("/etc")

        assert names(root, "src") == ["src/features.py"]

    def test_files_of_submodules_enter_as_far_as_they_are_checked_out(
        self, root: Path, tmp_path: Path
    ) -> None:
        library = tmp_path / "library"
        write(library / "lib" / "a.py")
        git(library, "init", "--quiet")
        commit(library)
        git(root, "submodule", "--quiet", "add", library.as_uri(), "src/library")
        commit(root)
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "--quiet", root.as_uri(), str(clone))

        assert names(root, "src") == ["src/features.py", "src/library/lib/a.py"]
        assert names(root, "src/library/lib") == ["src/library/lib/a.py"]
        assert names(clone, "src/features.py") == ["src/features.py"]
        with pytest.raises(SourceError, match="src/library is not checked out: `git submodule up"):
            names(clone, "src")


class TestInitialise:
    def test_a_folder_becomes_a_repository_with_one_clean_commit(self, tmp_path: Path) -> None:
        project = tmp_path / "project"
        write(project / "src" / "a.py")
        source = GitSource(project)

        source.initialise(message="Begin")

        assert git(project, "log", "--format=%s %ae") == "Begin ada@example.org"
        assert source.checkout(outputs=()).dirty == ()
        assert git(project, "branch", "--show-current") == "main"

    def test_a_repository_within_another_is_one_of_its_own(self, root: Path) -> None:
        project = root / "nested"
        write(project / "a.py")

        GitSource(project).initialise(message="Begin")

        assert git(project, "rev-list", "--count", "HEAD") == "1"
        assert git(project, "rev-parse", "--show-toplevel") == str(project)

    def test_it_commits_where_git_knows_nobody(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gitconfig").write_text("[user]\nuseConfigOnly = true\n")
        monkeypatch.setenv("LOGNAME", "grace")
        project = tmp_path / "project"
        write(project / "a.py")

        GitSource(project).initialise(message="Begin")

        assert git(project, "log", "--format=%an %ae") == "grace grace@localhost"

    def test_hooks_and_signatures_for_all_repositories_do_not_get_in_the_way(
        self, tmp_path: Path
    ) -> None:
        hook = write(tmp_path / "hooks" / "commit-msg", "#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
        with (tmp_path / "gitconfig").open("a") as settings:
            settings.write(
                f"[core]\nhooksPath = {hook.parent}\n[commit]\ngpgSign = true\n"
                "[gpg]\nprogram = /bin/false\n"
            )
        project = tmp_path / "project"
        write(project / "a.py")

        GitSource(project).initialise(message="Begin")

        assert git(project, "rev-list", "--count", "HEAD") == "1"

    def test_a_repository_is_not_made_twice(self, root: Path) -> None:
        with pytest.raises(SourceError, match="is a git repository already"):
            GitSource(root).initialise(message="Begin")

    def test_a_refusal_leaves_no_half_made_repository(self, tmp_path: Path) -> None:
        project = tmp_path / "project"
        nested = project / "nested"
        write(nested / "a.py")
        git(nested, "init", "--quiet")  # git adds no repository that has no commit

        with pytest.raises(SourceError, match="git add failed in"):
            GitSource(project).initialise(message="Begin")

        assert not (project / ".git").exists()


class TestActor:
    def test_it_is_the_address_that_commits_carry(self, tmp_path: Path) -> None:
        assert GitSource(tmp_path).actor() == "ada@example.org"

    def test_it_is_the_users_name_where_git_has_no_address_or_is_not_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "gitconfig").write_text("[user]\nuseConfigOnly = true\n")
        monkeypatch.setenv("LOGNAME", "grace")

        assert GitSource(tmp_path).actor() == "grace"
        monkeypatch.setenv("PATH", "/nowhere")
        assert GitSource(tmp_path).actor() == "grace"


class TestWhatIsTracked:
    def test_it_is_listed_by_the_end_of_its_name_wherever_git_knows_it(self, root: Path) -> None:
        write(root / "jobs" / "étude.py")
        write(root / "jobs" / "notes.txt")
        commit(root)
        write(root / "later.py")
        write(root / "staged.py")
        git(root, "add", "staged.py")

        tracked = [path.as_posix() for path in GitSource(root).tracked(".py")]

        assert tracked == ["jobs/étude.py", "src/features.py", "staged.py"]

    def test_links_and_submodules_and_what_was_removed_are_left_out(
        self, root: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        write(other / "lib.py")
        git(other, "init", "--quiet")
        commit(other)
        (root / "link.py").symlink_to("src/features.py")
        (root / "away.py").symlink_to("/etc/passwd")
        write(root / "gone.py")
        git(root, "submodule", "add", "--quiet", str(other), "vendor")
        commit(root)
        (root / "gone.py").unlink()

        assert GitSource(root).tracked(".py") == (Path("src/features.py"),)

    def test_a_project_in_a_subfolder_has_its_own(self, root: Path) -> None:
        write(root / "churn" / "train.py")
        commit(root)

        assert GitSource(root / "churn").tracked(".py") == (Path("train.py"),)
