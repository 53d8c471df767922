#!lua flags=allow-oom
-- trim: forgets the events that are recorded.
--
-- ARGV[2] the number of the last of them, ARGV[3] the incarnation that they were read of, or nothing.

return function()
  if ARGV[3] ~= '' and ARGV[3] ~= incarnation then return 0 end
  local upTo = math.min(tonumber(ARGV[2]), seq)
  if upTo > trimmed then
    call('XTRIM', prefix .. 'events', 'MINID', (upTo + 1) .. '-0')
    call('HSET', prefix .. 'store', 'trimmed', upTo)
  end
  return 0
end
