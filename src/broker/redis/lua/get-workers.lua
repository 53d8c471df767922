#!lua flags=no-writes
-- getWorkers: what the processes have said about themselves, see worker.lua.

return workersSince('-inf')
