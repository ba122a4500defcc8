//! The check: the function against the model of Linux, in every case.

#[test]
fn it_decides_as_linux_does() {
    if let Err(told) = finwait_learn::rust::check_time_wait(time_wait::judge) {
        panic!("{told}");
    }
}
