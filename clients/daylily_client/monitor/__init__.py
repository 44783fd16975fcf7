r"""The monitor of a cluster's head node: finds workset folders in S3 and runs their pipelines.

    worksets monitor --bucket lab --prefix daylily_monitoring/active_worksets/ \\
        --cluster c1 --vcpus 192 --memory-gb 384 --slots 4 -- run-pipeline.sh

What it does when things go wrong:

State, scheduler or S3 does not answer
    Pipelines run on. Locks are renewed for ever; a lock whose lease ended here is UNCONFIRMED:
    nothing is exported, no sentinel and no state is written until a renewal got through.
State says that a lock is lost, or the workset cancelled
    The command's process group gets SIGTERM, after a grace SIGKILL. A cancel is acknowledged
    (ReleaseLock) when the group is gone, so that a restored workset never runs twice.
SIGTERM or Ctrl-C
    Nothing is claimed any more; what was claimed and has not begun is given back; what runs is
    waited for. A second one stops what runs and gives it back, which costs the workset its work
    so far but no time: another monitor can have it at once.
The monitor is killed
    Each command has a supervisor that stops it as soon as the monitor is gone. A monitor that is
    started again with the same --workdir ends the locks of runs that are certainly over; others
    end with their lease. See `recovery`.
A folder is malformed
    It is logged with every file and key at fault, and looked at again at the next scan. The other
    folders do not wait for it.

State is the truth about worksets. The sentinel files in S3 are how folders are handed in, and how
older tools see what became of them; see `marks`.
"""
