#!lua flags=no-writes
-- info: the store's clock, and whose data this is.

return function()
  local store = call('HMGET', prefix .. 'store', 'incarnation', 'protocol')
  return { now, store[1], store[2] }
end
