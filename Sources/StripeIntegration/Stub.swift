enum StripeIntegrationModule {}
