#!/bin/busybox sh
# The first program of a guest: makes the host's root, with a layer of memory above it, the root of the guest, and starts
# the agent there. Nothing that the guest writes reaches the host.
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in $(cat /modules); do
  insmod "/lib/$module" || echo "insmod $module failed"
done
value() { tr ' ' '\n' <"$facts" | sed -n "s/^holdfast\.$1=//p"; }

facts=/facts
cat /proc/cmdline >/facts
mkdir -p /host /layer /root
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 host /host || poweroff -f
mount -t tmpfs -o size=50% layer /layer
mkdir /layer/upper /layer/work
mount -t overlay -o lowerdir=/host,upperdir=/layer/upper,workdir=/layer/work overlay /root || poweroff -f
for folder in dev proc sys; do mount --move "/$folder" "/root/$folder"; done
mount -t tmpfs run /root/run
mount -t tmpfs shm /root/dev/shm 2>/dev/null
mount -t configfs config /root/sys/kernel/config
mount -t debugfs debug /root/sys/kernel/debug
ip link set lo up
ip addr add 10.0.2.15/24 dev eth0 && ip link set eth0 up

# The kernel asks for modules by itself as well; they come from where the host keeps them.
mkdir -p /root/run/holdfast/bin /root/lib/modules
ln -s "$(value modules)" "/root/lib/modules/$(uname -r)" 2>/dev/null
cp /bin/busybox /root/run/holdfast/bin/busybox
ln -s busybox /root/run/holdfast/bin/modprobe
echo /run/holdfast/bin/modprobe >/root/proc/sys/kernel/modprobe

port=""
for folder in /root/sys/class/virtio-ports/*; do
  [ "$(cat "$folder/name")" = holdfast ] && port="/dev/${folder##*/}"
done
export PATH=/run/holdfast/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/run/holdfast
exec switch_root /root "$(value node)" --no-warnings "$(value agent)" "$port"
