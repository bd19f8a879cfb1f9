enum ServerKitModule {}
