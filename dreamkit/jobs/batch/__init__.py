"""Many pictures, each dreamed as one request says, or as each of several.

`inputs` finds the pictures, `request` describes how they are dreamed, and `job` names the dreams. `survey`
finds out which dreams are finished, by the `manifest`. `worker` dreams a picture; `run` counts what is done.
"""

from dreamkit.jobs.batch.inputs import Input, expand
from dreamkit.jobs.batch.job import Job, list_jobs
from dreamkit.jobs.batch.manifest import FOLDER
from dreamkit.jobs.batch.request import BatchRequest, folder_name, resolve
from dreamkit.jobs.batch.run import REPORT, Batch, BatchError, BatchProgress
from dreamkit.jobs.batch.worker import DreamWorker, JobStep, Task

__all__ = [
    "FOLDER",
    "REPORT",
    "Batch",
    "BatchError",
    "BatchProgress",
    "BatchRequest",
    "DreamWorker",
    "Input",
    "Job",
    "JobStep",
    "Task",
    "expand",
    "folder_name",
    "list_jobs",
    "resolve",
]
