#!lua flags=allow-oom
-- open: sets the namespace up when it is new. Also with a full memory: what waits has to be worked off.
--
-- ARGV[2] the incarnation that a new namespace gets, ARGV[3] the protocol of this program.
-- Answers incarnation and protocol of the store, and the commands that scripts need and this user may not run here.

return function()
  -- With those of the client itself at the end.
  local needed = {
    'DEL', 'EXISTS', 'HDEL', 'HEXISTS', 'HGET', 'HGETALL', 'HINCRBY', 'HKEYS', 'HLEN', 'HMGET', 'HRANDFIELD', 'HSET', 'HSETNX', 'HSTRLEN',
    'HVALS', 'LRANGE', 'RPUSH', 'SADD', 'SCARD', 'SISMEMBER', 'SMEMBERS', 'SREM', 'TIME', 'UNLINK', 'XADD', 'XRANGE', 'XTRIM', 'ZADD', 'ZCARD',
    'ZCOUNT', 'ZMSCORE', 'ZRANGE', 'ZRANGEBYSCORE', 'ZRANK', 'ZREM', 'ZREMRANGEBYRANK', 'ZSCORE', 'SPUBLISH',
  }
  local forbidden, key = {}, prefix .. 'store'
  for _, command in ipairs(needed) do
    if not redis.acl_check_cmd(command, key, key, key, key) then forbidden[#forbidden + 1] = command end
  end
  if #forbidden > 0 then return { '', '', forbidden } end

  call('HSETNX', prefix .. 'store', 'incarnation', ARGV[2])
  call('HSETNX', prefix .. 'store', 'protocol', ARGV[3])
  local store = call('HMGET', prefix .. 'store', 'incarnation', 'protocol')
  -- What lies in layout 2 lies as well in 3, which has packs beside it: these come once no process is there that may know of none.
  if store[2] == '2' and call('ZCOUNT', prefix .. 'beats', '(' .. string.format('%.0f', now - limits.presenceMs), '+inf') == 0 then
    call('HSET', prefix .. 'store', 'protocol', ARGV[3], 'upgradedAt', now)
    store[2] = ARGV[3]
  end
  return { store[1], store[2], forbidden }
end
