"""The machine around the tasks: plan of cells, execution, store, statistics, report and command line."""
