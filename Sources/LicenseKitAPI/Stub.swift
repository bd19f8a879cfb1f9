enum LicenseKitAPIModule {}
