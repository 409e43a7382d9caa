# Copy specs of what `skopeo list-tags` prints. Call with --arg to REGISTRY/PREFIX.
# Release candidates and the like, which have a dash in their tag, are left out.
(.Repository | split("/")[1:] | join("/")) as $path
| .Repository as $repository
| .Tags[]
| select(contains("-") | not)
| { src: "\($repository):\(.)", dst: "\($to)/\($path):\(.)" }
