#!/usr/bin/env bash
# Makes the pictures: make.sh [folder]. The same packages make the same bytes.
# Debian 12: apt-get install ffmpeg fonts-dejavu-core
set -euo pipefail
assets=${1:-"$(dirname "${BASH_SOURCE[0]}")/assets"}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

camera='<path d="M-74-34h92a14 14 0 0 1 14 14v40a14 14 0 0 1-14 14h-92a14 14 0 0 1-14-14v-40a14 14 0 0 1 14-14z"/>
  <path d="M44-12l36-22a5 5 0 0 1 8 4v60a5 5 0 0 1-8 4l-36-22z"/>'
slash='<path d="M-76 70L76-70" stroke="#12161c" stroke-width="30"/><path d="M-76 70L76-70" stroke-width="9"/>'
dots='<g fill="#12161c" stroke="none"><circle cx="-54" r="8"/><circle cx="-28" r="8"/><circle cx="-2" r="8"/></g>'
power='<g fill="none" stroke-width="12"><path d="M-38-34a52 52 0 1 0 76 0"/><path d="M0-62v54"/></g>'
question='<text y="52" font-size="150" font-weight="bold" text-anchor="middle" stroke="none">?</text>'

# picture <name> <colour> <icon> <title> <sentence>
picture() {
  cat >"$work/$1.svg" <<SVG
<svg xmlns="http://www.w3.org/2000/svg" width="640" height="480" font-family="DejaVu Sans">
  <rect width="640" height="480" fill="#12161c"/>
  <g transform="translate(320 178)" fill="$2" stroke="$2" stroke-linecap="round" stroke-linejoin="round">$3</g>
  <text x="320" y="326" font-size="31" font-weight="bold" fill="#e6e9ee" text-anchor="middle">$4</text>
  <text x="320" y="366" font-size="19" fill="#98a2b0" text-anchor="middle">$5</text>
</svg>
SVG
  # One second: a picture and four frames that repeat it. All have the same parameter sets, so that one may follow another.
  ffmpeg -hide_banner -loglevel error -y -framerate 5 -loop 1 -i "$work/$1.svg" -frames:v 5 \
    -vf 'scale=640:480:out_color_matrix=bt709:out_range=tv,format=yuv420p' \
    -colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv \
    -c:v libx264 -profile:v baseline -level 3.0 -preset veryslow -tune stillimage -trellis 0 -refs 1 -bf 0 -threads 1 \
    -g 5 -sc_threshold 0 -x264-params 'qp=45:ipratio=10:deadzone-inter=32:repeat-headers=1' \
    -bsf:v 'filter_units=pass_types=1|5|7|8' -fflags +bitexact -f h264 "$assets/$1.h264"
}

picture connecting '#5aa2ff' "$camera$dots" 'Connecting' 'The picture will appear here in a moment.'
picture off '#8b95a5' "$power" 'Camera off' 'The camera is switched off or cannot be reached.'
picture disabled '#f0b24a' "$camera$slash" 'Camera disabled' 'This camera has been disabled in its settings.'
picture missing '#f27272' "$question" 'No such camera' 'There is no camera at this address.'
