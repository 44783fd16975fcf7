"""From the event feed to the channels, losing nothing.

One notifier at a time holds the *seat*: the durable consumer "notifier" of state. It follows the
feed from the consumer's position and records what is to be delivered; state moves the position on
in the same call, after the deliveries are kept. So an event that was read and not recorded is read
again, by whoever holds the seat then, and recording it twice makes one delivery.

Workers, one for each channel, claim due deliveries for a lease, send, and record the outcome. A
notifier that dies in between leaves its claims, which are due again when the lease is over: the
message is sent again, with the same deduplication key. What is about one workset is sent in order
as long as nothing is refused; what was refused is overtaken. A channel that is away is probed with
pauses that grow; its deliveries stay recorded, and other channels do not notice.
"""
