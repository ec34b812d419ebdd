"""Records: what a run leaves behind. Data only: nothing here judges, executes or imports what it reads."""
