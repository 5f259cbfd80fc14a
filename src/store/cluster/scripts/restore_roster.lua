-- number of a life, version, members, bits
call('SET', KEYS[1] .. ARGV[1] .. 'r', ARGV[4])
call('HSET', KEYS[1], 'v', ARGV[2], 'c', ARGV[3], 'a', raw_sha1(ARGV[4]))
return 0
