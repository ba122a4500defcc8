//! The check: the function against the model of Linux, in every case.

#[test]
fn it_decides_as_linux_does() {
    if let Err(told) = finwait_learn::rust::check_fin_wait_2(fin_wait_2_bucket::judge) {
        panic!("{told}");
    }
}
