// swift-tools-version: 6.1
import PackageDescription

let package = Package(
  name: "activate",
  platforms: [.macOS(.v13)],
  targets: [.executableTarget(name: "Activate")]
)
