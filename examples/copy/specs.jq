# Copy specs of a file like images.json. Call with --arg to REGISTRY/PREFIX.
# An image goes to its own name, without the registry, or to the one in "as".
def path: if (split("/")[0] | test("[.:]")) then split("/")[1:] | join("/") else . end;

.platforms as $default
| [ .images[]
    | . as $image
    | .tags[]
    | { src: "\($image.name):\(.)",
        dst: "\($to)/\($image.as // ($image.name | path)):\(.)",
        transform: { limitPlatforms: ($image.platforms // $default) } } ]
