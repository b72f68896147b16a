"""A published run as a folder of a data set of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from suite.publish.content import COPIED
from suite.runs.store import RunError

OLD_FILES = [pattern for name in COPIED for pattern in (name, f"{name}/*")]
"""What a publication before may have left in the run's folder; patterns of the hub are relative to that folder."""


def upload(published: Path, dataset: str) -> str:
    """Send a published run to `dataset`/NAME in one commit; files that it has no more are deleted there.

    Whatever else the data set holds stays, and the hub keeps what a commit replaced.

    Raises:
        RunError: the hub refused, or its client is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise RunError("--to hf: needs the package: pip install 'neuron-suite[huggingface]'") from error
    client = huggingface_hub.HfApi()
    try:
        client.create_repo(dataset, repo_type="dataset", exist_ok=True)
        client.upload_folder(
            repo_id=dataset,
            folder_path=published,
            path_in_repo=published.name,
            repo_type="dataset",
            commit_message=f"Results of {published.name}",
            allow_patterns=OLD_FILES,
            delete_patterns=OLD_FILES,
        )
    except (huggingface_hub.errors.HfHubHTTPError, huggingface_hub.errors.HFValidationError, OSError) as error:
        raise RunError(f"the Hugging Face hub refused: {str(error).splitlines()[0]}") from error
    return f"hf:{dataset}/{published.name}"
