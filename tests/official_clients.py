"""The makers' own clients against the simulated arm, unchanged: official_clients.py PART PORT.

Exit status: 0 everything was as it should be, 77 the client is not installed, 1 something was
wrong (and which).
"""

import sys
import time


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found}, wanted {wanted}")


def near(what, found, wanted, off):
    if abs(found - wanted) > off:
        sys.exit(f"{what}: {found}, wanted {wanted} within {off}")


def dynamixel(path):
    import dynamixel_sdk as sdk

    port, packet = sdk.PortHandler(path), sdk.PacketHandler(2.0)
    expect("open", (port.openPort(), port.setBaudRate(1000000)), (True, True))
    expect("ping", packet.ping(port, 1), (1120, 0, 0))
    found, result = packet.broadcastPing(port)
    expect("broadcast ping", (sorted(found), result), ([1, 2, 3, 4], 0))
    for register, value in ((64, 0), (11, 1), (9, 0), (64, 1)):
        expect("write", packet.write1ByteTxRx(port, 1, register, value), (0, 0))
    expect("EEPROM under torque", packet.write1ByteTxRx(port, 1, 11, 3), (0, 7))
    expect("limit", packet.write4ByteTxRx(port, 1, 104, 200), (0, 6))
    expect("wheel mode", packet.write4ByteTxRx(port, 1, 104, 20), (0, 0))
    time.sleep(0.5)
    near("its speed", packet.read4ByteTxRx(port, 1, 128)[0], 20, 2)
    expect("stop", packet.write4ByteTxRx(port, 1, 104, 0), (0, 0))
    dynamixel_groups(sdk, port, packet)
    expect("reg write", packet.regWriteTxRx(port, 2, 65, 1, [1]), (0, 0))
    expect("registered", packet.read1ByteTxRx(port, 2, 69)[0], 1)
    packet.action(port, 254)  # the client does not wait for the answer of one
    expect("action", packet.read1ByteTxRx(port, 2, 65)[0], 1)
    expect("clear", packet.clearMultiTurn(port, 2), (0, 0))
    expect("reboot", packet.reboot(port, 1), (0, 0))
    expect("torque after it", packet.read1ByteTxRx(port, 1, 64), (0, 0, 0))
    expect("factory reset", packet.factoryReset(port, 4, 2), (0, 0))
    expect("silence", packet.ping(port, 9)[1], sdk.COMM_RX_TIMEOUT)
    port.setBaudRate(57600)
    expect("wrong rate", packet.ping(port, 1)[1], sdk.COMM_RX_TIMEOUT)
    port.setBaudRate(1000000)
    expect("right rate", packet.ping(port, 1), (1120, 0, 0))


def dynamixel_groups(sdk, port, packet):
    ids = (1, 2, 3, 4)
    write = sdk.GroupSyncWrite(port, packet, 65, 1)
    read = sdk.GroupSyncRead(port, packet, 65, 1)
    for k in ids:
        write.addParam(k, [k % 2])
        read.addParam(k)
    expect("sync write", write.txPacket(), 0)
    expect("sync read", read.txRxPacket(), 0)
    expect("its data", [read.getData(k, 65, 1) for k in ids], [1, 0, 1, 0])
    if hasattr(read, "fastSyncRead"):
        expect("fast sync read", read.fastSyncRead(), 0)
        expect("its data", [read.getData(k, 65, 1) for k in ids], [1, 0, 1, 0])
    write = sdk.GroupBulkWrite(port, packet)
    write.addParam(1, 65, 1, [0])
    write.addParam(2, 116, 4, [0, 8, 0, 0])
    read = sdk.GroupBulkRead(port, packet)
    read.addParam(1, 65, 1)
    read.addParam(2, 116, 4)
    expect("bulk write", write.txPacket(), 0)
    expect("bulk read", read.txRxPacket(), 0)
    expect("its data", (read.getData(1, 65, 1), read.getData(2, 116, 4)), (0, 2048))
    if hasattr(read, "fastBulkRead"):
        expect("fast bulk read", read.fastBulkRead(), 0)
        expect("its data", (read.getData(1, 65, 1), read.getData(2, 116, 4)), (0, 2048))


def scservo(path):
    import scservo_sdk as sdk

    port = sdk.PortHandler(path)
    expect("open", (port.openPort(), port.setBaudRate(1000000)), (True, True))
    if hasattr(sdk, "sms_sts"):  # the newer one
        servo = sdk.sms_sts(port)
        expect("ping", servo.ping(1), (777, 0, 0))
        expect("position", servo.WritePosEx(1, 2300, 1000, 50), (0, 0))
        expect("wheel mode", servo.WheelMode(2), (0, 0))
        expect("speed", servo.WriteSpec(2, -600, 50), (0, 0))
        time.sleep(1)
        near("its position", servo.ReadPos(1)[0], 2300, 3)
        near("its speed", servo.ReadSpeed(2)[0], -600, 15)
        expect("stop", servo.WriteSpec(2, 0, 50), (0, 0))
        expect("reg write", servo.RegWritePosEx(3, 2100, 800, 0), (0, 0))
        servo.RegAction()
        group = sdk.GroupSyncRead(servo, 56, 11)
    else:
        servo = sdk.PacketHandler(0)
        expect("ping", servo.ping(port, 1), (777, 0, 0))
        expect("wheel mode", servo.write1ByteTxRx(port, 1, 33, 1), (0, 0))
        expect("torque", servo.write1ByteTxRx(port, 1, 40, 1), (0, 0))
        expect("speed", servo.write2ByteTxRx(port, 1, 46, 500), (0, 0))
        time.sleep(0.6)
        near("its speed", servo.read2ByteTxRx(port, 1, 58)[0], 500, 15)
        expect("stop", servo.write2ByteTxRx(port, 1, 46, 0), (0, 0))
        expect("silence", servo.ping(port, 9)[1], sdk.COMM_RX_TIMEOUT)
        group = sdk.GroupSyncRead(port, servo, 56, 11)
    for k in (1, 2, 3):
        group.addParam(k)
    expect("sync read", group.txRxPacket(), 0)
    for k in (1, 2, 3):
        near("volts", group.getData(k, 62, 1), 119, 3)


def drive(bus, position_mode):
    """What LeRobot does with either make: connect, calibrate, move."""
    names = list(bus.motors)
    bus.connect()
    expect("broadcast ping", len(bus.broadcast_ping()), len(names))
    bus.disable_torque()
    bus.configure_motors()
    for name in names:
        bus.write("Operating_Mode", name, position_mode)
    bus.set_half_turn_homings()
    for name, ticks in bus.sync_read("Present_Position", normalize=False).items():
        near(f"{name} at half turn", ticks, 2047, 2)
    bus.enable_torque()
    bus.sync_write("Goal_Position", {name: 2148 for name in names}, normalize=False)
    time.sleep(1)
    for name, ticks in bus.sync_read("Present_Position", normalize=False).items():
        near(f"{name} after its goal", ticks, 2148, 3)
    expect("calibration", len(bus.read_calibration()), len(names))
    bus.disconnect()


def lerobot_motors(model, first, n):
    from lerobot.motors import Motor, MotorNormMode

    norm = MotorNormMode.RANGE_M100_100
    return {f"m{k}": Motor(first + k, model, norm) for k in range(n)}


def lerobot_feetech(path):
    from lerobot.motors.feetech import FeetechMotorsBus

    drive(FeetechMotorsBus(port=path, motors=lerobot_motors("sts3215", 1, 6)), 0)


def lerobot_dynamixel(path):
    from lerobot.motors.dynamixel import DynamixelMotorsBus

    drive(DynamixelMotorsBus(port=path, motors=lerobot_motors("xm430-w350", 11, 4)), 4)


if __name__ == "__main__":
    try:
        globals()[sys.argv[1]](sys.argv[2])
    except ImportError:
        sys.exit(77)
