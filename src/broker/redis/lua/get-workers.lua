#!lua flags=no-writes
-- getWorkers: what the processes have said about themselves, see worker.lua.

return function()
  return workersSince('-inf')
end
