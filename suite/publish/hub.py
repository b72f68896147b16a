"""A published run as a folder of a data set of the Hugging Face hub."""

from __future__ import annotations

from pathlib import Path

from suite.publish.content import OWN
from suite.runs.store import RunError

OLD_FILES = [pattern for name in OWN for pattern in (name, f"{name}/*")]
"""What a publication before may have left in the run's folder; patterns of the hub are relative to that folder."""


def upload(site: Path, dataset: str) -> str:
    """Send a run with its pages to `dataset`/NAME in one commit; files that it has no more are deleted there.

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
            folder_path=site,
            path_in_repo=site.name,
            repo_type="dataset",
            commit_message=f"Results of {site.name}",
            allow_patterns=OLD_FILES,
            delete_patterns=OLD_FILES,
        )
    except (huggingface_hub.errors.HfHubHTTPError, huggingface_hub.errors.HFValidationError, OSError) as error:
        raise RunError(f"the Hugging Face hub refused: {str(error).splitlines()[0]}") from error
    return f"hf:{dataset}/{site.name}"
