#!lua
-- open: sets the namespace up when it is new.
--
-- ARGV[2] the incarnation that a new namespace gets, ARGV[3] the protocol of this program.
-- Answers incarnation and protocol of the store.

call('HSETNX', prefix .. 'store', 'incarnation', ARGV[2])
call('HSETNX', prefix .. 'store', 'protocol', ARGV[3])
return call('HMGET', prefix .. 'store', 'incarnation', 'protocol')
