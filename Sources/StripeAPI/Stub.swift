enum StripeAPIModule {}
