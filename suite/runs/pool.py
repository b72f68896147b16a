"""Workers: processes that measure batches of cells, one after the other as long as nothing of a batch stays behind."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from suite.runs import processes, worker
from suite.runs.inbox import Inbox
from suite.runs.user_files import UserFiles
from suite.runs.worker import Assignment


@dataclass
class Worker:
    """One process. It is warm once it has measured something and says that nothing of it is left."""

    process: BaseProcess
    inbox: Inbox
    orders: Connection
    device: str
    threads: int

    def end(self, grace: float = 0.0) -> None:
        """End the process and what it started; it may take `grace` seconds to end by itself."""
        with contextlib.suppress(OSError):
            self.orders.close()  # after which it waits for nothing more
        processes.end(self.process, grace)
        self.inbox.close()


@dataclass
class Pool:
    """The warm workers of a run, which wait for their next batch.

    Args:
        files: of the user, loaded once in each process.
    """

    files: UserFiles
    idle: list[Worker] = field(default_factory=list)

    def assign(self, assignment: Assignment) -> Worker:
        """Give a batch to a warm worker of the same device and threads, or to a new one."""
        for each in list(self.idle):
            if (each.device, each.threads) == (assignment.device, assignment.threads):
                self.idle.remove(each)
                if self._order(each, assignment):
                    return each
        return self._start(assignment)

    def _order(self, each: Worker, assignment: Assignment) -> bool:
        """Whether a warm worker took the batch; one that has died, or said something unasked, is ended."""
        each.inbox.batch_is_over = False
        with contextlib.suppress(OSError):
            if each.process.exitcode is None and each.inbox.silent():
                each.orders.send(assignment)
                return True
        each.end()
        return False

    def _start(self, assignment: Assignment) -> Worker:
        context = processes.context()
        receiver, sender = context.Pipe(duplex=False)
        orders, own = context.Pipe(duplex=False)
        process = context.Process(target=worker.serve, args=(assignment, self.files, sender, orders))
        processes.start(process)
        sender.close()
        orders.close()
        return Worker(process, Inbox(receiver), own, assignment.device, assignment.threads)

    def give_back(self, each: Worker, warm: bool) -> None:
        """Take a worker back; it is ended unless it is warm, with what it started."""
        if warm and each.process.exitcode is None and not processes.started_by(each.process):
            self.idle.append(each)
        else:
            each.end(processes.GRACE if warm or each.inbox.batch_is_over else 0.0)

    def close(self) -> None:
        """End all that wait."""
        for each in self.idle:
            each.end()
        self.idle.clear()
