enum LicenseServerModule {}
