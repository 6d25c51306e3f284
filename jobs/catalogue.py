"""Every job: its name, what it needs of a connector, how often it runs, what it does."""

from __future__ import annotations

from dataclasses import dataclass

from connectors import base
from jobs import housekeeping
from jobs.runner import JobFunction
from sync import (
    allocation,
    counts,
    drain,
    intake,
    listings,
    lookback,
    pushes,
    quoting,
    shipping,
    subscriptions,
    sweep,
    tracking,
)
from sync.privacy import expiry
from sync.promise import publishing, reading_back


@dataclass(frozen=True, slots=True)
class Job:
    """``needs``: any of these capabilities of a connection; none means one global stream.

    ``looks_back``: only for connectors whose description says that they do. ``of_hooks``: only for
    connections whose vendor sends webhooks to us.
    ``every``: the key in ``[connections.X.every]``, or in ``[jobs.every]`` for a global job.
    """

    name: str
    run: JobFunction
    every: str
    help: str
    needs: tuple[type, ...] = ()
    looks_back: bool = False
    of_hooks: bool = False

    @property
    def is_global(self) -> bool:
        return not self.needs

    def suits(self, connector: base.Connector) -> bool:
        if self.looks_back and not connector.info.looks_back:
            return False
        return isinstance(connector, self.needs)


_ALL = (
    Job(
        "pull-orders",
        intake.pull_orders,
        "orders",
        "read new and changed orders of a channel",
        (base.PullsOrders,),
    ),
    Job(
        "pull-listings",
        listings.pull_listings,
        "listings",
        "read what a channel sells, and match it to SKUs",
        (base.PullsListings,),
    ),
    Job(
        "pull-stock",
        counts.pull_stock,
        "stock",
        "read the stock counts of a location that counts for itself",
        (base.PullsStock,),
    ),
    Job(
        "pull-shipments",
        shipping.pull_shipments,
        "shipments",
        "read what a 3PL or a drop folder has shipped",
        (base.PullsShipments,),
    ),
    Job(
        "recheck-orders",
        lookback.recheck_orders,
        "recheck",
        "read a month of orders once more, for what a channel showed late",
        (base.PullsOrders,),
        looks_back=True,
    ),
    Job(
        "recheck-shipments",
        lookback.recheck_shipments,
        "recheck",
        "read a month of shipments once more, for what a 3PL told late",
        (base.PullsShipments,),
        looks_back=True,
    ),
    Job(
        "track",
        tracking.track,
        "tracking",
        "follow the parcels a carrier has on its way",
        (base.Tracks,),
    ),
    Job(
        "push",
        drain.push,
        "push",
        "send what is planned: work, labels, tracking, stock",
        tuple(dict.fromkeys(kind.capability for kind in pushes.KINDS)),
    ),
    Job(
        "read-back",
        reading_back.read_back,
        "read_back",
        "look at a sample of the quantities just written",
        (base.ReadsListings,),
    ),
    Job(
        "sweep",
        sweep.sweep,
        "sweep",
        "compare what a vendor holds for us with what was sent",
        (base.ListsEffects,),
    ),
    Job(
        quoting.JOB,
        quoting.pull_rates,
        "rates",
        "ask a carrier what the parcels of waiting orders cost",
        (base.EstimatesRates,),
    ),
    Job(
        subscriptions.JOB,
        subscriptions.check_hooks,
        "hooks",
        "see that a vendor still sends its webhooks",
        (base.ListsSubscriptions,),
        of_hooks=True,
    ),
    Job("allocate", allocation.allocate, "allocate", "give accepted orders to locations"),
    Job("promise", publishing.publish, "promise", "plan stock writes where a promise changed"),
    Job("holds", housekeeping.expire_holds, "holds", "give back goods whose hold has run out"),
    Job("prune", housekeeping.prune, "prune", "delete old history of runs and old prices"),
    Job(
        "expire-personal",
        expiry.expire,
        "personal",
        "erase personal data that was kept for as long as it may be",
    ),
)

JOBS = {job.name: job for job in _ALL}
