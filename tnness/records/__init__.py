"""Records: the results of runs. They are data only: nothing here judges, executes or imports what a file holds."""
