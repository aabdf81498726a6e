"""The queues' names, for who works on them, asks for work, and looks whether it is done."""

# in this order a worker of several takes jobs: to plan a day takes longest and waits for all others
QUEUES = ("mail", "poll", "settings", "default", "plan")
