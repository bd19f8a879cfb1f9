enum RedisModule {}
