# Runs in the tape lab's guest (busybox sh): the scenarios, one after the other. Two drives with
# media of 10 MB each, and a third that has the first one's medium, write-protected; the image of
# run.sh in /share/store.
image=oci:/share/store:t
failed=0
cd /tmp || exit 1

check() { # NAME COMMAND..: the command must succeed
    name=$1
    shift
    if "$@" >out 2>&1; then echo "ok      $name"; else
        failed=1
        echo "FAILED  $name"
        cat out
    fi
}
refuse() { # NAME WORDS COMMAND..: the command must fail and say the words
    name=$1 words=$2
    shift 2
    if "$@" >out 2>&1; then
        failed=1
        echo "FAILED  $name: it succeeded"
    elif grep -q "$words" out; then echo "ok      $name"; else
        failed=1
        echo "FAILED  $name: it did not say '$words'"
        cat out
    fi
}
rewind() { mtst -f "$1" rewind; }
# What fits one tape: the image without half of its layers.
small() {
    check "$1: the small archive" airlift serialize "$image" /tmp/whole.tar --force \
        --existing-from-checkpoint /tmp/some:99999999999 -b "$2"
}

# A ledger of the whole archive, from which parts are left out.
check "a ledger of a file" airlift serialize "$image" /tmp/all.tar --checkpoint /tmp/all
check "layers to leave out" sh -c 'tail -n 3 /tmp/all >/tmp/some'

# 1 MiB is the most that the lab's drive takes.
for block in 512 10Ki 64Ki 1Mi; do
    rewind /dev/nst0
    small "blocks of $block" "$block"
    check "blocks of $block: written" airlift serialize "$image" /dev/nst0 --force \
        --existing-from-checkpoint /tmp/some:99999999999 -b "$block"
    rewind /dev/nst0
    check "blocks of $block: the tape is the file" sh -c \
        "dd if=/dev/nst0 bs=$(echo $block | tr -d i | tr K k) 2>/dev/null | cmp - /tmp/whole.tar"
    rewind /dev/nst0
    check "blocks of $block: read back without saying so, with the file of the rest" \
        airlift deserialize /dev/nst0 /tmp/all.tar "oci:/tmp/back-$block:in"
    rm -rf "/tmp/back-$block"
done

rewind /dev/nst0
refuse "blocks larger than the drive takes" "smaller --block-size" \
    airlift serialize "$image" /dev/nst0 --force -b 8Mi --existing-from-checkpoint /tmp/some:99999999999
rewind /dev/nst0
check "and what was on the tape still is" airlift verify /dev/nst0 /tmp/all.tar

rewind /dev/nst0
check "fixed blocks: the drive is set" mtst -f /dev/nst0 setblk 10240
check "fixed blocks: written" airlift serialize "$image" /dev/nst0 --force -b 20Ki \
    --existing-from-checkpoint /tmp/some:99999999999
rewind /dev/nst0
check "fixed blocks: read back" airlift deserialize /dev/nst0 /tmp/all.tar oci:/tmp/fixed:in
rm -rf /tmp/fixed
check "variable blocks again" mtst -f /dev/nst0 setblk 0
rewind /dev/nst0
small "variable" 64Ki
check "variable: written" airlift serialize "$image" /dev/nst0 --force -b 64Ki \
    --existing-from-checkpoint /tmp/some:99999999999
check "to the end of the data" mtst -f /dev/nst0 eod
refuse "behind the data there is nothing" "there is nothing" \
    airlift deserialize /dev/nst0 oci:/tmp/nothing:in
rewind /dev/nst0
refuse "in fixed blocks a tape of others says what to do" "setblk 0" sh -c \
    'mtst -f /dev/nst0 setblk 4096; airlift verify /dev/nst0; code=$?; mtst -f /dev/nst0 setblk 0; exit $code'

# A drive that another program holds.
rewind /dev/nst0
refuse "a drive in use is not written" "in use" sh -c \
    'exec 3</dev/nst0; airlift serialize '"$image"' /dev/nst0 --force'
refuse "a drive in use is not read" "busy" sh -c \
    'exec 3</dev/nst0; airlift verify /dev/nst0'

rewind /dev/nst0
refuse "a tape with data is not overwritten" "say --force" \
    airlift serialize "$image" /dev/nst0 --existing-from-checkpoint /tmp/some:99999999999
rewind /dev/nst0
refuse "a drive in fixed blocks refuses others" "no multiple" sh -c \
    'mtst -f /dev/nst0 setblk 4096; airlift serialize '"$image"' /dev/nst0 --force -b 10Ki; code=$?; mtst -f /dev/nst0 setblk 0; exit $code'

# A write-protected tape: the third drive has the first one's. It stays where it stands, also when it
# is to be overwritten or gone on with, and is read as any other.
rewind /dev/nst0
rewind /dev/nst2
check "write-protected: the third drive stands at the second block" \
    dd if=/dev/nst2 of=/dev/null bs=64k count=1
for how in "" --force --resume; do
    refuse "write-protected: not written with '$how'" "is write-protected" \
        airlift serialize "$image" /dev/nst2 $how -b 64Ki
    airlift serialize "$image" /dev/nst2 $how -b 64Ki >/dev/null 2>&1
    code=$?
    check "write-protected: the exit code with '$how' is 2" test $code = 2
    check "write-protected: not moved with '$how'" \
        sh -c 'mtst -f /dev/nst2 status | grep -q "block number=1,"'
done
refuse "write-protected: no mbuffer" "is write-protected" \
    sh -c 'airlift mbuffer /dev/nst2 --force -b 64Ki </tmp/whole.tar'
rewind /dev/nst2
check "write-protected: read" airlift deserialize /dev/nst2 /tmp/all.tar oci:/tmp/protected:in
rm -rf /tmp/protected
rewind /dev/nst0

# Two archives on one tape, each to its filemark.
rewind /dev/nst1
check "the first of two archives" airlift serialize "$image" /dev/nst1 --force -b 10Ki \
    --existing-from-checkpoint /tmp/all:99999999999
check "to the end of the data" mtst -f /dev/nst1 eod
check "the second behind it" airlift serialize "$image" /dev/nst1 -b 64Ki \
    --existing-from-checkpoint /tmp/some:99999999999
rewind /dev/nst1
check "skipped to the second" mtst -f /dev/nst1 fsf 1
check "the second is read alone" airlift deserialize /dev/nst1 /tmp/all.tar oci:/tmp/two:in

# End of the medium, and the rest on the next.
rewind /dev/nst0
rewind /dev/nst1
refuse "end of the medium" "next medium" \
    airlift serialize "$image" /dev/nst0 --force -b 64Ki --checkpoint /tmp/first
part=$(grep -o '/tmp/first:[0-9]*' out)
echo "        $(wc -l </tmp/first) entries on the first tape, going on with $part"
check "the rest on a second drive" airlift serialize "$image" /dev/nst1 --force -b 64Ki \
    --existing-from-checkpoint "$part"
rewind /dev/nst0
rewind /dev/nst1
check "both tapes read together" airlift deserialize /dev/nst0 /dev/nst1 oci:/tmp/both:in
rewind /dev/nst1
refuse "the second alone is refused" "neither in the archive" \
    airlift deserialize /dev/nst1 oci:/tmp/second:in

# An interrupted run goes on, and the tape is what it would have been.
small "resume" 64Ki
for after in 20 60; do
    rewind /dev/nst0
    head -c $((after * 65536)) /tmp/whole.tar | dd of=/dev/nst0 bs=64k iflag=fullblock 2>/dev/null
    rewind /dev/nst0
    check "gone on with after $after blocks" airlift serialize "$image" /dev/nst0 --resume -b 64Ki \
        --existing-from-checkpoint /tmp/some:99999999999
    rewind /dev/nst0
    check "after $after blocks: the tape is the file" \
        sh -c 'dd if=/dev/nst0 bs=64k 2>/dev/null | cmp - /tmp/whole.tar'
done

# Killed at any moment, gone on with, with and without a ledger.
for after in 0 1 2 3; do
    rewind /dev/nst0
    rm -f /tmp/kill
    with=
    [ $((after % 2)) = 0 ] || with="--checkpoint /tmp/kill"
    airlift serialize "$image" /dev/nst0 --force -b 64Ki $with \
        --existing-from-checkpoint /tmp/some:99999999999 >/dev/null 2>&1 &
    running=$!
    usleep ${after}50000
    kill -9 $running 2>/dev/null
    wait $running
    rewind /dev/nst0
    check "killed after 0.${after}5 s: gone on with" airlift serialize "$image" /dev/nst0 --resume \
        -b 64Ki $with --existing-from-checkpoint /tmp/some:99999999999
    rewind /dev/nst0
    check "killed after 0.${after}5 s: the tape is the file" \
        sh -c 'dd if=/dev/nst0 bs=64k 2>/dev/null | cmp - /tmp/whole.tar'
done

# Layers that come damaged are written once more, the tape taken back to where they began. With little
# memory they come in parts.
xtask rough-registry >/tmp/rough &
rough=$!
until [ -s /tmp/rough ]; do usleep 10000; done
check "a registry with a rough line" airlift deserialize /tmp/all.tar "$(cat /tmp/rough)/rough:t"
rewind /dev/nst0
check "damaged on the way" airlift serialize "$(cat /tmp/rough)/rough:t" /dev/nst0 --force -b 64Ki -m 1Mi \
    --checkpoint /tmp/mended --existing-from-checkpoint /tmp/some:99999999999
mv out said
echo "        $(grep -c 'once more' said) times taken back"
check "damaged on the way: the tape was taken back" grep -q 'once more' said
rewind /dev/nst0
check "damaged on the way: the tape is the file" \
    sh -c 'dd if=/dev/nst0 bs=64k 2>/dev/null | cmp - /tmp/whole.tar'
kill $rough

# An image that lacks a layer loses no other: the archive is begun anew without it, behind what the
# tape held before.
echo "$image" >/tmp/one.list
printf '%s\noci:/share/thin:t\n' "$image" >/tmp/both.list
check "one image of two" airlift archive /tmp/one.list /tmp/one.tar t -b 64Ki \
    --existing-from-checkpoint /tmp/some:99999999999
rewind /dev/nst1
check "an archive before it" airlift serialize "$image" /dev/nst1 --force -b 64Ki \
    --existing-from-checkpoint /tmp/all:99999999999
rewind /dev/nst1
check "behind it" mtst -f /dev/nst1 fsf 1
refuse "an image that lacks a layer" "begun anew" airlift archive /tmp/both.list /dev/nst1 t --force -b 64Ki \
    --existing-from-checkpoint /tmp/some:99999999999
rewind /dev/nst1
check "to the second archive" mtst -f /dev/nst1 fsf 1
check "begun anew: the tape is the file of one image" \
    sh -c 'dd if=/dev/nst1 bs=64k 2>/dev/null | cmp - /tmp/one.tar'

# What is no archive: written by mbuffer, in whole blocks and a rest.
rewind /dev/nst0
check "mbuffer" sh -c 'head -c 1000001 /tmp/whole.tar | airlift mbuffer /dev/nst0 --force -b 64Ki'
rewind /dev/nst0
check "mbuffer: the tape is what went in" \
    sh -c 'dd if=/dev/nst0 bs=64k 2>/dev/null | cmp - /tmp/whole.tar 2>&1 | grep -q "EOF on -"'
rewind /dev/nst0
refuse "another archive is not gone on with" "does not hold the start" \
    airlift serialize "$image" /dev/nst0 --resume -b 128Ki

refuse "no such drive" "nst7" airlift deserialize /dev/nst7 oci:/tmp/none:in
exit $failed
