#!lua
-- enqueue: stores new tasks, each once, one at a time under its key, parents first.
--
-- ARGV[2 …] as accept.lua takes them.
-- Answers the letters and the others of arrive.lua, the signals, and nothing; or "refused" and why.

return function()
  local letters, others, refusal = accept()
  if refusal then return refusal end
  write()
  return { letters, others, signals() }
end
