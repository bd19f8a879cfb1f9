import Hummingbird
import Identity
import LicenseKitAPI
import ServerKit

extension ManagementRoutes {
  var licenses: [ManagementRoute] {
    let (licenses, issuing, renewal) = (services.licenses, services.issuing, services.renewal)
    return [
      .init(.listLicenses, .get, "/api/v1/licenses") { call in
        let (filter, cursor) = (try LicenseFilter(query: call.request.query), try call.cursor())
        return try await call.page(
          licenses.list(filter, after: cursor.map { try LicenseCursor($0) }, for: call.caller),
          filters: LicenseFilter.queryNames)
      },
      .init(.createLicense, .post, "/api/v1/licenses") { call in
        let key = call.request.idempotencyKey
        return try await call.stored(
          issuing.create(call.body(), idempotencyKey: key, for: call.caller), status: .created)
      },
      .init(.getLicense, .get, "/api/v1/licenses/:id") { call in
        try await call.ok(licenses.get(call.id(), for: call.caller))
      },
      .init(.renewLicense, .post, "/api/v1/licenses/:id/renew") { call in
        let key = try call.idempotencyKey()
        return try await call.stored(renewal.renew(call.id(), call.body(), idempotencyKey: key, for: call.caller))
      },
      .init(.suspendLicense, .post, "/api/v1/licenses/:id/suspend") { call in
        try await call.ok(licenses.suspend(call.id(), for: call.caller))
      },
      .init(.reinstateLicense, .post, "/api/v1/licenses/:id/reinstate") { call in
        try await call.ok(licenses.reinstate(call.id(), for: call.caller))
      },
      .init(.revokeLicense, .post, "/api/v1/licenses/:id/revoke") { call in
        try await call.ok(licenses.revoke(call.id(), for: call.caller))
      },
      .init(.transferLicense, .post, "/api/v1/licenses/:id/transfer") { call in
        let key = try call.idempotencyKey()
        return try await call.stored(renewal.transfer(call.id(), call.body(), idempotencyKey: key, for: call.caller))
      },
    ]
  }

  var licenseFeatures: [ManagementRoute] {
    let features = services.licenseFeatures
    return [
      .init(.listLicenseFeatures, .get, "/api/v1/licenses/:id/features") { call in
        try await call.page(features.list(call.id(), call.range(), for: call.caller))
      },
      .init(.assignLicenseFeature, .post, "/api/v1/licenses/:id/features") { call in
        try await call.ok(features.assign(call.id(), call.body(), for: call.caller))
      },
      .init(.removeLicenseFeature, .delete, "/api/v1/licenses/:id/features/:feature_id") { call in
        try await features.remove(call.id(), call.id("feature_id"), for: call.caller)
        return Answer.empty()
      },
      .init(.resetLicenseUsage, .post, "/api/v1/licenses/:id/usage/reset") { call in
        try await call.ok(features.resetUsage(call.id(), call.body(), for: call.caller))
      },
    ]
  }

  var devices: [ManagementRoute] {
    let devices = services.devices
    return [
      .init(.listLicenseDevices, .get, "/api/v1/licenses/:id/devices") { call in
        try await call.page(devices.list(call.id(), call.range(), for: call.caller))
      },
      .init(.getLicenseDevice, .get, "/api/v1/licenses/:id/devices/:device_id") { call in
        try await call.ok(devices.get(call.id(), call.id("device_id"), for: call.caller))
      },
      .init(.resetLicenseDevice, .post, "/api/v1/licenses/:id/devices/:device_id/reset") { call in
        try await call.ok(devices.reset(call.id(), call.id("device_id"), for: call.caller))
      },
      .init(.blacklistLicenseDevice, .post, "/api/v1/licenses/:id/devices/:device_id/blacklist") { call in
        try await call.ok(devices.blacklist(call.id(), call.id("device_id"), for: call.caller))
      },
    ]
  }
}
