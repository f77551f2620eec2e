"""Recovery without a JVM: what the transaction log says, done to the record stores."""
