{
  "targets": [{
    "target_name": "inference_native",
    "type": "none",
    "actions": [{
      "action_name": "cmake",
      "inputs": ["CMakeLists.txt"],
      "outputs": ["build/Release/inference_native.node"],
      "action": ["node", "native/build.mjs"]
    }]
  }]
}
