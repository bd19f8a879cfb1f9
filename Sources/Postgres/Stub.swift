enum PostgresModule {}
