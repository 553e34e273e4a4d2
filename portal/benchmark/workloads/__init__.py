"""The workloads by name, in the order they run. A new one is a module here and a line below."""

from portal.benchmark.measuring import Workload
from portal.benchmark.workloads import contacts, grant, importing, pages

WORKLOADS: dict[str, Workload] = {
    "import": importing.WORKLOAD,
    "grant": grant.WORKLOAD,
    "home": pages.HOME,
    "contacts": contacts.WORKLOAD,
}
