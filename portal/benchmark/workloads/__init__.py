"""The workloads by name, in the order they run. A new one is a module here and a line below."""

from portal.benchmark.measuring import Workload
from portal.benchmark.workloads import (
    bulk,
    contact,
    contacts,
    entrance,
    explain,
    export,
    fan_out,
    grant,
    importing,
    pages,
    progress,
    reimport,
    start,
    upload,
    walk,
)

WORKLOADS: dict[str, Workload] = {
    "import": importing.WORKLOAD,
    "reimport": reimport.WORKLOAD,
    "upload": upload.WORKLOAD,
    "grant": grant.WORKLOAD,
    "home": pages.HOME,
    "course": pages.COURSE,
    "lesson": pages.LESSON,
    "progress": progress.WORKLOAD,
    "contacts": contacts.WORKLOAD,
    "export": export.WORKLOAD,
    "explain": explain.WORKLOAD,
    "contact": contact.WORKLOAD,
    "bulk_grant": bulk.GRANT,
    "bulk_revoke": bulk.REVOKE,
    "walk": walk.WORKLOAD,
    "link_request": entrance.REQUEST,
    "link_use": entrance.USE,
    "fan_out": fan_out.WORKLOAD,
    "start": start.WORKLOAD,
}
