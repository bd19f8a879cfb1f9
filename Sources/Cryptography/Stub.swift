enum CryptographyModule {}
